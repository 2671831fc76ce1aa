{{/* Deployment of one role. Takes a mapping: root, role, kafka (whether the role speaks to Kafka), port (name of its port, or empty). */}}
{{- define "hub.deployment" -}}
{{- $root := .root -}}
{{- $role := index $root.Values.roles .role -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "hub.fullname" $root }}-{{ .role }}
  labels:
    {{- include "hub.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  {{- if not $role.autoscaling.enabled }}
  replicas: {{ $role.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "hub.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
  template:
    metadata:
      labels:
        {{- include "hub.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .role }}
        {{- with $root.Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        checksum/settings: {{ include "hub.settings" $root | sha256sum }}
        {{- with $root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "hub.serviceAccount" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext: {{- include "hub.podSecurity" $root | nindent 8 }}
      {{- with include "hub.placement" $root }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "hub.selector" $root | nindent 14 }}
              app.kubernetes.io/component: {{ .role }}
      # A batch in flight ends well within this.
      terminationGracePeriodSeconds: 30
      containers:
        - name: {{ .role }}
          image: {{ include "hub.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          command: [deltahub, serve, {{ .role }}]
          envFrom:
            - configMapRef: {name: {{ include "hub.fullname" $root }}}
          env:
            {{- include "hub.databaseEnv" $root | nindent 12 }}
            {{- if .kafka }}
            {{- include "hub.kafkaEnv" $root | trim | nindent 12 }}
            {{- end }}
          {{- with .port }}
          ports:
            - {name: {{ . }}, containerPort: {{ eq . "grpc" | ternary 8443 8080 }}, protocol: TCP}
          {{- end }}
          {{- include "hub.probes" . | trim | nindent 10 }}
          resources: {{- toYaml $role.resources | nindent 12 }}
          securityContext: {{- include "hub.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - {name: identity, mountPath: /etc/deltahub/identity, readOnly: true}
            - {name: data, mountPath: /var/lib/deltahub}
            - {name: tmp, mountPath: /tmp}
            {{- if and .kafka (include "hub.kafkaVolume" $root) }}
            - {name: kafka, mountPath: /etc/deltahub/kafka, readOnly: true}
            {{- end }}
      volumes:
        - name: identity
          secret: {secretName: {{ $root.Values.identity.existingSecret }}, defaultMode: 0440}
        - name: data
          emptyDir: {sizeLimit: 256Mi}
        - name: tmp
          emptyDir: {sizeLimit: 64Mi}
        {{- if .kafka }}
        {{- with include "hub.kafkaVolume" $root }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- end }}
{{- end -}}
