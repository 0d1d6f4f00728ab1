{{- define "onhand.labels" -}}
app.kubernetes.io/name: onhand
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "onhand.inventory" -}}
{{ printf "%s-inventory" (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- end }}

{{- define "onhand.availability" -}}
{{ printf "%s-availability" (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- end }}

{{- define "onhand.image" -}}
{{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}

{{- /* All nodes of inventory, each by its own name, so that one that is gone is passed over. */ -}}
{{- define "onhand.inventoryUrls" -}}
{{- $name := include "onhand.inventory" . -}}
{{- range $i, $_ := until (int .Values.inventory.replicas) -}}
{{- if $i }},{{ end }}http://{{ $name }}-{{ $i }}.{{ $name }}:8080
{{- end -}}
{{- end }}

{{- define "onhand.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* What every container of Onhand has. A process that ends with code 75 begins anew: that is no failure. */ -}}
{{- define "onhand.container" -}}
image: {{ include "onhand.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
ports:
  - name: http
    containerPort: 8080
livenessProbe:
  httpGet: { path: /livez, port: http }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 6
volumeMounts:
  - name: data
    mountPath: /var/lib/onhand
{{- end }}

{{- define "onhand.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef: { fieldPath: metadata.name }
- name: ONHAND_NODE
  value: $(POD_NAME)
- name: ONHAND_HOST
  value: 0.0.0.0
- name: ONHAND_PORT
  value: "8080"
- name: ONHAND_DATA
  value: /var/lib/onhand/data
- name: ONHAND_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: ONHAND_BUS
  valueFrom:
    secretKeyRef:
      name: {{ .Values.bus.secretName }}
      key: {{ .Values.bus.secretKey }}
{{- end }}
