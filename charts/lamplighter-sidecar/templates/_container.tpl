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
  # Life never depends on a token: no restart mends a missing one.
  startupProbe:
    exec:
      command: [/usr/bin/lamplighter, tokens, health, --live]
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
    # Mounted here alone. Without a group of the pod's, only everybody can read them.
    defaultMode: {{ ternary "0440" "0444" (eq (include "lamplighter-sidecar.grouped" .) "yes") }}
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
  # The admin socket. Nothing in it outlives the pod, and need not.
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
  {{- end }}
{{- end }}

{{/* Whether the pod's volumes belong to a group: a sidecar asks for that only where it
needs it, for it concerns the application too. */}}
{{- define "lamplighter-sidecar.grouped" -}}
{{- if or (not .sidecar) (eq .values.store.kind "file") }}yes{{ end }}
{{- end }}

{{/* What the pod's securityContext needs: a group that its volumes belong to, or nothing. */}}
{{- define "lamplighter-sidecar.podSecurityContext" -}}
{{- if eq (include "lamplighter-sidecar.grouped" .) "yes" -}}
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
{{- else -}}
{}
{{- end }}
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
