{{/*
Each template takes a dict: `root`, which is `.`, `values`, as values.yaml has them, and
`name`, which names the objects of the chart.
*/}}

{{/* The container, an item of a list: of initContainers, with "sidecar" true, or of containers. */}}
{{- define "lamplighter-sidecar.container" -}}
{{- include "lamplighter-sidecar.check" . -}}
- name: lamplighter
  image: {{ include "lamplighter-sidecar.image" . | quote }}
  imagePullPolicy: {{ .values.image.pullPolicy | default "IfNotPresent" }}
  {{- if .sidecar }}
  restartPolicy: Always
  {{- end }}
  {{- with .values.env }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .ports }}
  ports:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  # An application starts once its sidecar has a token. Liveness never depends on one: no
  # restart mends a missing token.
  startupProbe:
    exec:
      command: [/usr/bin/lamplighter, tokens, health, {{ if .sidecar }}--ready{{ else }}--live{{ end }}]
    periodSeconds: 2
    timeoutSeconds: 5
    failureThreshold: 60
  livenessProbe:
    exec:
      command: [/usr/bin/lamplighter, tokens, health, --live]
    periodSeconds: 10
    timeoutSeconds: 5
  readinessProbe:
    exec:
      command: [/usr/bin/lamplighter, tokens, health, --ready]
    periodSeconds: 10
    timeoutSeconds: 5
  {{- with .values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  volumeMounts:
    - name: lamplighter-config
      mountPath: /etc/caddy
      readOnly: true
    {{- if .values.secrets }}
    - name: lamplighter-secrets
      mountPath: /run/secrets
      readOnly: true
    {{- end }}
    - name: lamplighter-data
      mountPath: /data
{{- end }}

{{/* The image: a release's tag is the version of the chart. */}}
{{- define "lamplighter-sidecar.image" -}}
{{ .values.image.repository }}:{{ .values.image.tag | default (trimPrefix "v" .root.Chart.AppVersion) }}
{{- end }}

{{/* The volumes of the container, for the pod's. */}}
{{- define "lamplighter-sidecar.volumes" -}}
- name: lamplighter-config
  configMap:
    name: {{ .name }}
{{- if .values.secrets }}
- name: lamplighter-secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range .values.secrets }}
      - secret:
          name: {{ .secret }}
          items:
            - key: {{ .key }}
              path: {{ .file }}
      {{- end }}
{{- end }}
- name: lamplighter-data
  {{- if eq .values.store.kind "file" }}
  persistentVolumeClaim:
    claimName: {{ .values.store.existingClaim | default .name }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end }}

{{/* What the pod's securityContext needs: a group that its volumes belong to. */}}
{{- define "lamplighter-sidecar.podSecurityContext" -}}
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
{{- end }}

{{/* How a Deployment is rolled out: a grant on a volume has one holder. */}}
{{- define "lamplighter-sidecar.strategy" -}}
{{- if eq .values.store.kind "file" -}}
type: Recreate
{{- else -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: 1
  maxUnavailable: 0
{{- end }}
{{- end }}
