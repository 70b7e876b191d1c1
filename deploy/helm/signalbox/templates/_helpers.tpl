{{/* The start of every name. */}}
{{- define "signalbox.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- end }}

{{/* What a kind of pod is found by: (dict "root" $ "component" "api"). */}}
{{- define "signalbox.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of a thing: (dict "root" $ "component" "api"). */}}
{{- define "signalbox.labels" -}}
{{ include "signalbox.selector" . }}
app.kubernetes.io/part-of: signalbox
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "signalbox.tag" -}}{{ default .Chart.AppVersion .Values.image.tag }}{{- end }}

{{/* The image: (dict "root" $ "tag" "…"); with a tag of its own the digest does not count. */}}
{{- define "signalbox.image" -}}
{{- $image := .root.Values.image -}}
{{- if get . "tag" -}}{{ $image.repository }}:{{ .tag }}
{{- else if $image.digest -}}{{ $image.repository }}@{{ $image.digest }}
{{- else -}}{{ $image.repository }}:{{ include "signalbox.tag" .root }}
{{- end -}}
{{- end }}

{{- define "signalbox.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ default (include "signalbox.fullname" .) .Values.serviceAccount.name }}{{- else -}}{{ default "default" .Values.serviceAccount.name }}{{- end -}}
{{- end }}

{{/* The account of migrate, which runs before anything else of the release is there. */}}
{{- define "signalbox.migrateAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ include "signalbox.serviceAccount" . }}-migrate{{- else -}}{{ include "signalbox.serviceAccount" . }}{{- end -}}
{{- end }}

{{- define "signalbox.secret" -}}
{{- if .Values.secret.existingSecret -}}{{ .Values.secret.existingSecret }}{{- else -}}{{ include "signalbox.fullname" . }}{{- end -}}
{{- end }}

{{- define "signalbox.buildID" -}}{{ default (include "signalbox.tag" .) .Values.versioning.buildID }}{{- end }}

{{/* A value of a setting as text. Numbers of values are floating ones in Helm, and would be written as 1e+06. */}}
{{- define "signalbox.text" -}}
{{- if kindIs "float64" . -}}{{ . | int64 }}{{- else -}}{{ . }}{{- end -}}
{{- end }}

{{/* Whether Temporal is spoken to with TLS. */}}
{{- define "signalbox.temporalTLS" -}}
{{- $t := .Values.temporal -}}
{{- if or $t.tls $t.tlsSecret (has "SIGNALBOX_TEMPORAL_API_KEY" .Values.secret.keys) -}}true{{- end -}}
{{- end }}

{{/* Where people find the pages, as far as the chart knows. */}}
{{- define "signalbox.publicURL" -}}
{{- if and .Values.api.ingress.enabled .Values.api.ingress.hosts -}}
{{ ternary "https" "http" (ne .Values.api.ingress.tlsSecret "") }}://{{ first .Values.api.ingress.hosts }}
{{- else if and .Values.api.httpRoute.enabled .Values.api.httpRoute.hostnames -}}
{{ ternary "https" "http" .Values.api.httpRoute.tls }}://{{ first .Values.api.httpRoute.hostnames }}
{{- end -}}
{{- end }}

{{/*
The environment of a program: (dict "root" $ "program" "api" "where" "api.settings" "settings" .Values.api.settings "own" (dict …)). files/settings.yaml says which
program takes which setting.
*/}}
{{- define "signalbox.env" -}}
{{- $root := .root -}}
{{- $program := .program -}}
{{- $takers := $root.Files.Get "files/settings.yaml" | fromYaml -}}
{{- $env := dict -}}
{{- $temporal := $root.Values.temporal -}}
{{- $_ := set $env "SIGNALBOX_TEMPORAL_ADDRESS" $temporal.address -}}
{{- $_ := set $env "SIGNALBOX_TEMPORAL_NAMESPACE" $temporal.namespace -}}
{{- if $temporal.tls }}{{- $_ := set $env "SIGNALBOX_TEMPORAL_TLS" "true" -}}{{- end -}}
{{- with $temporal.tlsServerName }}{{- $_ := set $env "SIGNALBOX_TEMPORAL_TLS_SERVER_NAME" . -}}{{- end -}}
{{- if $temporal.tlsSecret -}}
{{- $_ := set $env "SIGNALBOX_TEMPORAL_TLS_CERT" "/etc/signalbox/temporal/tls.crt" -}}
{{- $_ := set $env "SIGNALBOX_TEMPORAL_TLS_KEY" "/etc/signalbox/temporal/tls.key" -}}
{{- if $temporal.tlsCA }}{{- $_ := set $env "SIGNALBOX_TEMPORAL_TLS_CA" "/etc/signalbox/temporal/ca.crt" -}}{{- end -}}
{{- end -}}
{{- with include "signalbox.publicURL" $root }}{{- $_ := set $env "SIGNALBOX_PUBLIC_URL" . -}}{{- end -}}
{{- range $name, $value := .own }}{{- $_ := set $env $name $value -}}{{- end -}}
{{- range $name, $value := $root.Values.settings -}}
{{- if has $program (get $takers $name) }}{{- $_ := set $env $name (include "signalbox.text" $value) -}}{{- end -}}
{{- end -}}
{{- $where := .where -}}
{{- range $name, $value := .settings -}}
{{- if not (has $program (get $takers $name)) }}{{- fail (printf "%s: %s is no setting of %s" $where $name $program) -}}{{- end -}}
{{- $_ := set $env $name (include "signalbox.text" $value) -}}
{{- end -}}
{{- range $name := keys $env | sortAlpha }}
- name: {{ $name }}
  value: {{ get $env $name | quote }}
{{- end -}}
{{- range $name := $root.Values.secret.keys | sortAlpha -}}
{{- if has $program (get $takers $name) }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ include "signalbox.secret" $root }}
      key: {{ $name }}
{{- end -}}
{{- end -}}
{{- with $root.Values.extraEnv }}
{{ toYaml . }}
{{- end -}}
{{- end }}

{{/* Volumes of a pod: (dict "root" $ "tlsSecret" "…"). */}}
{{- define "signalbox.volumes" -}}
{{- with .root.Values.temporal.tlsSecret }}
- name: temporal-tls
  secret:
    secretName: {{ . }}
{{- end -}}
{{- with get . "tlsSecret" }}
- name: tls
  secret:
    secretName: {{ . }}
{{- end -}}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end -}}
{{- end }}

{{/* And where they are mounted: likewise. */}}
{{- define "signalbox.volumeMounts" -}}
{{- if .root.Values.temporal.tlsSecret }}
- name: temporal-tls
  mountPath: /etc/signalbox/temporal
  readOnly: true
{{- end -}}
{{- if get . "tlsSecret" }}
- name: tls
  mountPath: /etc/signalbox/tls
  readOnly: true
{{- end -}}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end -}}
{{- end }}

{{/*
The template of a pod, from its metadata on: (dict "root" $ "component" "api" "account" "…" "grace" 30 "restart" "Always" "labels" (dict …) "tag" "…" "tlsSecret" "…"
"container" "the container's own part, as text").
*/}}
{{- define "signalbox.pod" -}}
{{- $root := .root -}}
{{- $pod := $root.Values.pod -}}
metadata:
  labels:
    {{- include "signalbox.labels" . | nindent 4 }}
    {{- with get . "labels" }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with $pod.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $pod.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ .account }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  restartPolicy: {{ .restart }}
  terminationGracePeriodSeconds: {{ .grace }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $pod.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ $pod.userID | int64 }}
    runAsGroup: {{ $pod.userID | int64 }}
    fsGroup: {{ $pod.userID | int64 }}
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- if and $root.Values.topologySpread.enabled (ne .component "migrate") }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ $key }}
      maxSkew: 1
      whenUnsatisfiable: {{ $root.Values.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "signalbox.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: signalbox
      image: {{ include "signalbox.image" . }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      {{- .container | nindent 6 }}
      {{- with include "signalbox.volumeMounts" . | trim }}
      volumeMounts:
        {{- . | nindent 8 }}
      {{- end }}
  {{- with include "signalbox.volumes" . | trim }}
  volumes:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* A PodDisruptionBudget: (dict "root" $ "component" "api"). */}}
{{- define "signalbox.pdb" -}}
{{- if .root.Values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "signalbox.fullname" .root }}-{{ .component }}
  labels:
    {{- include "signalbox.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .root.Values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "signalbox.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* Wrong values that the schema cannot tell. */}}
{{- define "signalbox.check" -}}
{{- $s := .Values.secret -}}
{{- if and (not $s.existingSecret) (not $s.externalSecret.enabled) -}}
{{- fail "secret: set existingSecret to a Secret with the keys of secret.keys, or externalSecret.enabled" -}}
{{- end -}}
{{- if and $s.existingSecret $s.externalSecret.enabled -}}
{{- fail "secret: existingSecret and externalSecret.enabled exclude each other" -}}
{{- end -}}
{{- if and $s.externalSecret.enabled (or (not $s.externalSecret.storeName) (not $s.externalSecret.remoteKey)) -}}
{{- fail "secret.externalSecret: storeName and remoteKey are needed" -}}
{{- end -}}
{{- range $name := list "SIGNALBOX_DATABASE_URL" "SIGNALBOX_MASTER_KEY" -}}
{{- if not (has $name $s.keys) -}}{{- fail (printf "secret.keys: %s is always needed" $name) -}}{{- end -}}
{{- end -}}
{{- range $name := $s.keys -}}
{{- if hasKey $.Values.settings $name -}}{{- fail (printf "settings: %s is among secret.keys; it comes from there" $name) -}}{{- end -}}
{{- end -}}
{{- if and .Values.temporal.tlsCA (not .Values.temporal.tlsSecret) -}}{{- fail "temporal.tlsCA: goes together with temporal.tlsSecret, whose ca.crt is meant" -}}{{- end -}}
{{- $least := add 20 .Values.api.stopDelaySeconds -}}
{{- if lt (int .Values.api.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "api.terminationGracePeriodSeconds: must be at least %d, 20 more than api.stopDelaySeconds" $least) -}}
{{- end -}}
{{- $a := .Values.api.autoscaling -}}
{{- if lt (int $a.maxReplicas) (int $a.minReplicas) -}}{{- fail "api.autoscaling: maxReplicas is below minReplicas" -}}{{- end -}}
{{- range $queue := list "tickets" "deliveries" -}}
{{- $k := (get $.Values.workers $queue).keda -}}
{{- if lt (int $k.maxReplicas) (int $k.minReplicas) -}}{{- fail (printf "workers.%s.keda: maxReplicas is below minReplicas" $queue) -}}{{- end -}}
{{- if and $k.enabled (eq $.Values.versioning.mode "controller") -}}
{{- fail (printf "workers.%s.keda: with versioning.mode controller each build scales by versioning.controller.hpa" $queue) -}}
{{- end -}}
{{- end -}}
{{- $v := .Values.versioning -}}
{{- if lt (int $v.controller.hpa.maxReplicas) (int $v.controller.hpa.minReplicas) -}}{{- fail "versioning.controller.hpa: maxReplicas is below minReplicas" -}}{{- end -}}
{{- if and (ne $v.mode "none") (not $v.buildID) (not .Values.image.tag) -}}{{- fail "versioning.buildID: is needed where image.tag is empty, since every image is a build of its own" -}}{{- end -}}
{{- if and $v.keep (ne $v.mode "builds") -}}{{- fail "versioning.keep: goes together with versioning.mode builds" -}}{{- end -}}
{{- range $v.keep -}}
{{- if eq .buildID (include "signalbox.buildID" $) -}}{{- fail (printf "versioning.keep: build %s is this version's own" .buildID) -}}{{- end -}}
{{- end -}}
{{- if and (eq $v.mode "controller") (eq $v.controller.strategy "Progressive") (not $v.controller.steps) -}}
{{- fail "versioning.controller.steps: Progressive needs some" -}}
{{- end -}}
{{- if and .Values.api.ingress.enabled (not .Values.api.ingress.hosts) -}}{{- fail "api.ingress.hosts: name at least one" -}}{{- end -}}
{{- if and .Values.api.httpRoute.enabled (or (not .Values.api.httpRoute.parentRefs) (not .Values.api.httpRoute.hostnames)) -}}
{{- fail "api.httpRoute: parentRefs and hostnames are needed" -}}
{{- end -}}
{{- end }}
