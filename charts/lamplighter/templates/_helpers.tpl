{{/* The name of every object: the release's, with the chart's unless that is in it. */}}
{{- define "lamplighter.name" -}}
{{- if contains "lamplighter" .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-lamplighter" (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- end -}}
{{- end }}

{{- define "lamplighter.labels" -}}
{{ include "lamplighter-sidecar.labels" (dict "root" .) }}
{{- end }}

{{- define "lamplighter.selector" -}}
app.kubernetes.io/name: lamplighter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lamplighter.account" -}}
{{ .Values.serviceAccount.name | default (include "lamplighter.name" .) }}
{{- end }}

{{/* What no schema says. */}}
{{- define "lamplighter.check" -}}
{{- if and (eq .Values.store.kind "file") (gt (int .Values.replicas) 1) }}
{{- fail "replicas is more than 1 with records on a volume: a grant has one holder; set store.kind to kubernetes or shared, and name that store in the Caddyfile" }}
{{- end }}
{{- end }}
