{{- define "portolan.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "portolan.selector" -}}
app.kubernetes.io/name: portolan
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "portolan.labels" -}}
{{ include "portolan.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* The whole configuration: the operator's, and what follows from running in a pod. The admin port stays on loopback. */ -}}
{{- define "portolan.configuration" -}}
{{- $listen := dict "address" "0.0.0.0" "port" 8080 "allow_plaintext" true -}}
{{- if .Values.tls.secret -}}
{{- $certificate := dict "certificate" "/etc/portolan-tls/tls.crt" "private_key" "/etc/portolan-tls/tls.key" -}}
{{- $listen = dict "address" "127.0.0.1" "port" 8080 "tls" (dict "address" "0.0.0.0" "port" 8443 "certificates" (list $certificate)) -}}
{{- else if not .Values.allowPlaintext -}}
{{- fail "set tls.secret, or say allowPlaintext=true: callers would send prompts and keys in plaintext" -}}
{{- end -}}
{{- $own := dict "version" 1 "data_dir" "/var/lib/portolan" "listen" $listen "admin" (dict "address" "127.0.0.1" "port" 8081) -}}
{{- toYaml (merge $own .Values.config) -}}
{{- end -}}
