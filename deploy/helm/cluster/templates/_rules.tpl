{{/* What the operator does in the namespaces it serves. A test compares this, both ways, with the requests it makes. */}}
{{- define "cluster.operator.namespaceRules" -}}
- apiGroups: [serving.cluster.sh]
  resources: [modeldeployments]
  verbs: [list, watch, patch]              # patch: the finalizer
- apiGroups: [serving.cluster.sh]
  resources: [modeldeployments/status]
  verbs: [patch]
- apiGroups: [serving.cluster.sh]
  resources: [modeldeployments/finalizers]
  verbs: [update]                          # blockOwnerDeletion in ownerReferences
- apiGroups: [""]
  resources: [pods]
  verbs: [get, create, delete]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]                             # the last words of a crashed worker
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch] # server-side apply creates what is missing
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What it reads everywhere, whichever namespace it serves: a pod of any namespace may hold GPUs. */}}
{{- define "cluster.operator.clusterRules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- end -}}
