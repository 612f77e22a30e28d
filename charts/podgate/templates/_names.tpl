{{/* Labels of every object. Helm adds its own. */}}
{{- define "podgate.labels" -}}
app.kubernetes.io/name: podgate
{{- end }}

{{/* The Secret with the webhook's certificate. */}}
{{- define "podgate.certificateSecret" -}}
{{- $c := .Values.certificates -}}
{{- if eq $c.mode "self" }}podgate-webhook-cert
{{- else if eq $c.mode "cert-manager" }}{{ $c.certManager.secretName | default "webhook-cert" }}
{{- else }}{{ $c.provided.secretName | default "webhook-cert" }}
{{- end }}
{{- end }}

{{/* Whether mpod.gwc.k8s.aws is on, also where --reuse-values has the values of a chart without the switch. */}}
{{- define "podgate.webhookEnabled" -}}
{{ ne (toString .Values.webhookEnabled) "false" }}
{{- end }}

{{- define "podgate.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What the restricted Pod Security Standard wants of a pod. */}}
{{- define "podgate.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "podgate.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
  - ALL
{{- end }}
