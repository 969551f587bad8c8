{{/* The objects beside the pod: the configuration, the volume, and rights of the store. */}}
{{- define "lamplighter-sidecar.objects" -}}
{{- include "lamplighter-sidecar.check" . -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  labels:
    {{- include "lamplighter-sidecar.labels" . | nindent 4 }}
data:
  Caddyfile: |
    {{- .values.caddyfile | nindent 4 }}
{{- if and (eq .values.store.kind "file") (not .values.store.existingClaim) }}
---
# The living refresh token. It stays when the release is uninstalled.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .name }}
  labels:
    {{- include "lamplighter-sidecar.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  accessModes: [ReadWriteOnce]
  {{- with .values.store.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .values.store.size }}
{{- end }}
{{- if eq .values.store.kind "kubernetes" }}
---
{{ include "lamplighter-sidecar.role" . }}
{{- end }}
{{- end }}

{{/* What `store kubernetes` needs, for a service account that is named `account`. */}}
{{- define "lamplighter-sidecar.role" -}}
{{- $named := eq .values.store.objects "named" }}
{{- $prefix := .values.store.prefix }}
{{- if $named }}
{{- range .values.store.clients }}
{{- include "lamplighter-sidecar.empty" (dict "root" $.root "api" "v1" "kind" "Secret" "name" (print $prefix .)) }}
{{- include "lamplighter-sidecar.empty" (dict "root" $.root "api" "coordination.k8s.io/v1" "kind" "Lease" "name" (print $prefix .)) }}
{{- end }}
{{- include "lamplighter-sidecar.empty" (dict "root" $.root "api" "v1" "kind" "Secret" "name" (print $prefix "claims.all")) }}
{{- end -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .name }}
  labels:
    {{- include "lamplighter-sidecar.labels" . | nindent 4 }}
rules:
  {{- range $group, $resource := dict "" "secrets" "coordination.k8s.io" "leases" }}
  - apiGroups: [{{ $group | quote }}]
    resources: [{{ $resource }}]
    {{- if $named }}
    resourceNames:
      {{- range $.values.store.clients }}
      - {{ print $prefix . }}
      {{- end }}
      {{- if eq $resource "secrets" }}
      - {{ print $prefix "claims.all" }}
      {{- end }}
    verbs: [get, list, watch, patch]
    {{- else }}
    verbs: [get, list, watch, patch, create]
    {{- end }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "lamplighter-sidecar.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .account | default "default" }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/* An object that is made empty, for a Role can name only what exists. Once it is there
it is left alone, whatever Helm is told to do: the living refresh token is in it. */}}
{{- define "lamplighter-sidecar.empty" -}}
{{- if not (lookup .api .kind .root.Release.Namespace .name) -}}
apiVersion: {{ .api }}
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  labels:
    {{- include "lamplighter-sidecar.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
---
{{ end -}}
{{- end }}

{{- define "lamplighter-sidecar.labels" -}}
app.kubernetes.io/name: lamplighter
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What a schema cannot say. Records that are written to an empty directory die with the
pod, and the grant with them. */}}
{{- define "lamplighter-sidecar.check" -}}
{{- $store := .values.store }}
{{- if not (trim .values.caddyfile) }}
{{- fail "caddyfile is empty: write what Lamplighter shall do" }}
{{- end }}
{{- if and (eq $store.kind "kubernetes") (not (regexMatch "(?m)^\\s*(oauth2_)?store\\s+kubernetes\\b" .values.caddyfile)) }}
{{- fail "store.kind is kubernetes, but the Caddyfile keeps its records in no store kubernetes: they would be lost with the pod" }}
{{- end }}
{{- if and (eq $store.kind "shared") (not (regexMatch "(?m)^\\s*(oauth2_)?store\\s+[a-z]+\\b" .values.caddyfile)) }}
{{- fail "store.kind is shared, but the Caddyfile names no store: its records would be lost with the pod" }}
{{- end }}
{{- if and (ne $store.kind "file") (regexMatch "(?m)^\\s*(oauth2_)?store\\s+file\\b" .values.caddyfile) }}
{{- fail (printf "store.kind is %s, but the Caddyfile keeps records in files: they would be lost with the pod" $store.kind) }}
{{- end }}
{{- if and (eq $store.kind "kubernetes") (eq $store.objects "named") }}
{{- if not $store.clients }}
{{- fail "store.objects is named, and store.clients names none: the Role would grant all" }}
{{- end }}
{{- if not (regexMatch "(?m)^\\s*objects\\s+named\\b" .values.caddyfile) }}
{{- fail "store.objects is named, but the Caddyfile does not say objects named: the store would make others, and may not" }}
{{- end }}
{{- end }}
{{- end }}
