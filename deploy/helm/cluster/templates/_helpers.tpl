{{- define "cluster.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "cluster.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "cluster.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cluster.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cluster.operator.fullname" -}}{{ include "cluster.fullname" . }}-operator{{- end -}}
{{- define "cluster.gateway.fullname" -}}{{ include "cluster.fullname" . }}-gateway{{- end -}}
{{- define "cluster.nodeAgent.fullname" -}}{{ include "cluster.fullname" . }}-node-agent{{- end -}}

{{/* Labels of one component: (dict "root" $ "component" "operator") */}}
{{- define "cluster.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cluster.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "cluster.labels" -}}
{{ include "cluster.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: cluster
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* (dict "image" .Values.image "root" $) */}}
{{- define "cluster.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "cluster.operator.serviceAccount" -}}
{{- with .Values.operator.serviceAccount -}}
{{- .name | default (ternary (include "cluster.operator.fullname" $) "default" .create) -}}
{{- end -}}
{{- end -}}

{{- define "cluster.nodeAgent.serviceAccount" -}}
{{- with .Values.nodeAgent.serviceAccount -}}
{{- .name | default (ternary (include "cluster.nodeAgent.fullname" $) "default" .create) -}}
{{- end -}}
{{- end -}}

{{- define "cluster.gateway.serviceAccount" -}}
{{- with .Values.gateway.serviceAccount -}}
{{- .name | default (ternary (include "cluster.gateway.fullname" $) "default" .create) -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the master key. */}}
{{- define "cluster.gateway.keySecret" -}}
{{- .Values.gateway.keySecret | default (printf "%s-key" (include "cluster.gateway.fullname" .)) -}}
{{- end -}}

{{/* Where operator and gateway find the master key. */}}
{{- define "cluster.gateway.keyFile" -}}/etc/cluster/gateway-key/key{{- end -}}

{{/* What all containers have: no shell is needed, nothing is written, no diagnostics socket in /tmp. */}}
{{- define "cluster.env" -}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
- name: DOTNET_EnableDiagnostics
  value: "0"
{{- end -}}

{{/* Strings as a list of CEL, without its brackets. */}}
{{- define "cluster.celList" -}}
{{- range $i, $one := . }}{{ if $i }}, {{ end }}'{{ $one }}'{{ end -}}
{{- end -}}

{{/* Scheduling of a pod: (dict "values" .Values.nodeAgent) */}}
{{- define "cluster.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
