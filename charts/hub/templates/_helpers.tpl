{{- define "hub.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "hub.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "hub.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "hub.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hub.selector" -}}
app.kubernetes.io/name: {{ include "hub.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hub.labels" -}}
{{ include "hub.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "hub.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hub.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "hub.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- define "hub.postgresName" -}}
{{- printf "%s-postgres" (include "hub.fullname" .) -}}
{{- end -}}

{{- define "hub.kafkaName" -}}
{{- printf "%s-kafka" (include "hub.fullname" .) -}}
{{- end -}}

{{- define "hub.kafkaBootstrap" -}}
{{- if .Values.strimzi.enabled -}}
{{- printf "%s-kafka-bootstrap:9093" (include "hub.kafkaName" .) -}}
{{- else -}}
{{- .Values.kafka.bootstrap -}}
{{- end -}}
{{- end -}}

{{/* Settings that are no secret, as a mapping: the ConfigMap of the roles. */}}
{{- define "hub.settings" -}}
DELTAHUB_DATA_DIR: /var/lib/deltahub
DELTAHUB_IDENTITY_DIR: /etc/deltahub/identity
DELTAHUB_GRPC_ADDRESS: "0.0.0.0:8443"
DELTAHUB_WEB_ADDRESS: "0.0.0.0:8080"
DELTAHUB_KAFKA_BOOTSTRAP: {{ include "hub.kafkaBootstrap" . | quote }}
DELTAHUB_TOPIC_PREFIX: {{ .Values.settings.topicPrefix | quote }}
DELTAHUB_MAX_MESSAGE_BYTES: {{ .Values.settings.maxMessageBytes | int64 | quote }}
DELTAHUB_TOKEN_TTL_SECONDS: {{ .Values.settings.tokenTtlSeconds | int64 | quote }}
{{- if .Values.strimzi.enabled }}
DELTAHUB_KAFKA_CONFIG: {{ dict "security_protocol" "SSL" "ssl_cafile" "/etc/deltahub/kafka/ca.crt" "ssl_certfile" "/etc/deltahub/kafka/user.crt" "ssl_keyfile" "/etc/deltahub/kafka/user.key" | toJson | quote }}
{{- end }}
{{- end -}}

{{/* The ledger's URL, by reference. */}}
{{- define "hub.databaseEnv" -}}
- name: DELTAHUB_DATABASE_URL
  valueFrom:
    secretKeyRef:
      {{- if .Values.cloudNativePG.enabled }}
      name: {{ include "hub.postgresName" . }}-app
      key: uri
      {{- else }}
      name: {{ .Values.database.existingSecret }}
      key: {{ .Values.database.secretKey }}
      {{- end }}
{{- end -}}

{{/* Kafka's client settings, by reference; only the roles that speak to Kafka get them. */}}
{{- define "hub.kafkaEnv" -}}
{{- if and .Values.kafka.existingSecret (not .Values.strimzi.enabled) }}
- name: DELTAHUB_KAFKA_CONFIG
  valueFrom:
    secretKeyRef:
      name: {{ .Values.kafka.existingSecret }}
      key: {{ .Values.kafka.secretKey }}
{{- end }}
{{- end -}}

{{- define "hub.kafkaVolume" -}}
{{- if .Values.strimzi.enabled }}
- name: kafka
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "hub.kafkaName" . }}-cluster-ca-cert
          items: [{key: ca.crt, path: ca.crt}]
      - secret:
          name: {{ include "hub.fullname" . }}
          items: [{key: user.crt, path: user.crt}, {key: user.key, path: user.key}]
{{- else if .Values.kafka.certificatesSecret }}
- name: kafka
  secret: {secretName: {{ .Values.kafka.certificatesSecret }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{- define "hub.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "hub.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where pods may run: the same for every pod of the release. */}}
{{- define "hub.placement" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Probes of a role. mTLS is on, so the kubelet's own gRPC probe cannot speak to the hub; `deltahub health` can. */}}
{{- define "hub.probes" -}}
{{- if eq .role "web" }}
startupProbe:
  httpGet: {path: /healthz, port: https, scheme: HTTPS}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: https, scheme: HTTPS}
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: https, scheme: HTTPS}
  periodSeconds: 5
  timeoutSeconds: 5
{{- else if eq .role "hub" }}
startupProbe:
  tcpSocket: {port: grpc}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  tcpSocket: {port: grpc}
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  exec: {command: [deltahub, health, hub]}
  periodSeconds: 15
  timeoutSeconds: 10
{{- else }}
startupProbe:
  exec: {command: [deltahub, health, {{ .role }}]}
  periodSeconds: 5
  timeoutSeconds: 10
  failureThreshold: 24
livenessProbe:
  exec: {command: [deltahub, health, {{ .role }}]}
  periodSeconds: 30
  timeoutSeconds: 15
{{- end }}
{{- end -}}
