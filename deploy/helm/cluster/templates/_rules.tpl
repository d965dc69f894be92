{{/* What the operator does in the namespaces it serves. A test compares this, both ways, with the requests it makes. */}}
{{- define "cluster.operator.namespaceRules" -}}
- apiGroups: [serving.cluster.sh]
  resources: [modeldeployments]
  verbs: [get, list, watch, patch]         # get: before a pod is adopted; patch: the finalizer
- apiGroups: [serving.cluster.sh]
  resources: [modeldeployments/status]
  verbs: [patch]
- apiGroups: [serving.cluster.sh]
  resources: [modeldeployments/finalizers]
  verbs: [update]                          # blockOwnerDeletion in ownerReferences
- apiGroups: [""]
  resources: [pods]
  verbs: [get, create, delete, patch]      # patch: ownership follows the label of the services
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]                             # the last words of a crashed worker
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch] # server-side apply creates what is missing
- apiGroups: [""]
  resources: [serviceaccounts]             # the workers' own, to which nothing is bound
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [resource.k8s.io]
  resources: [resourceclaimtemplates]      # of gpu.allocation ResourceClaim, which claims of a DRA driver are made from
  verbs: [get, create, patch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]    # one beside spec.autoscaling is told of
  verbs: [list]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create, patch]             # list: why a pod does not get its containers
{{- if .Values.gateway.enabled }}
- apiGroups: [""]
  resources: [secrets]                     # the keys by which workers know the gateway; never read, and by an admission policy no others
  verbs: [create, patch]
{{- end }}
{{- end -}}

{{/* What it reads everywhere, whichever namespace it serves: a pod of any namespace may hold GPUs. */}}
{{- define "cluster.operator.clusterRules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch, patch]              # patch: the mark of a GPU that computes wrong results
{{- end -}}

{{/* What gateways read in the namespaces they serve. */}}
{{- define "cluster.gateway.namespaceRules" -}}
- apiGroups: [serving.cluster.sh]
  resources: [modeldeployments]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods]                        # the replicas
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]                      # the page shows them
  verbs: [list, watch]
{{- end -}}

{{/* What they read everywhere: the page shows nodes with their GPUs. */}}
{{- define "cluster.gateway.clusterRules" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- end -}}
