using Cluster.Operator.Local.ApiServer.Tables;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>The kinds every cluster has, as far as local mode serves them.</summary>
internal static class BuiltInResources
{
    public static IEnumerable<ResourceType> All(ResourceStrategy customResourceDefinitions)
    {
        ResourceType Core(
            string kind, string plural, string[] shortNames, TableColumn[] columns, FieldShape? shape = null, bool namespaced = true,
            bool status = false, ResourceStrategy? strategy = null, string[]? fields = null, string[]? categories = null) => new()
            {
                Group = "",
                Version = "v1",
                Kind = kind,
                Plural = plural,
                Singular = kind.ToLowerInvariant(),
                ShortNames = shortNames,
                Columns = columns,
                Shape = shape ?? CoreShapes.Plain,
                Namespaced = namespaced,
                HasStatus = status,
                Strategy = strategy ?? new ResourceStrategy(),
                SelectableFields = fields ?? [],
                Categories = categories ?? [],
            };

        yield return Core(
            "Namespace", "namespaces", ["ns"], CoreColumns.Namespaces, CoreShapes.Namespace, namespaced: false, status: true,
            strategy: new NamespaceStrategy(), fields: ["status.phase"]);
        yield return Core(
            "Node", "nodes", ["no"], NodeColumns.All, CoreShapes.Node, namespaced: false, status: true, fields: ["spec.unschedulable"]);
        yield return Core(
            "Pod", "pods", ["po"], PodColumns.All, CoreShapes.Pod, status: true, strategy: new PodStrategy(),
            fields: [
                "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase", "status.podIP",
                "status.nominatedNodeName"], categories: ["all"]);
        yield return Core(
            "Service", "services", ["svc"], CoreColumns.Services, CoreShapes.Service, status: true, strategy: new ServiceStrategy(),
            fields: ["spec.clusterIP", "spec.type"], categories: ["all"]);
        yield return Core(
            "Event", "events", ["ev"], EventColumns.All,
            fields: [
                "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
                "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"]);
        yield return Core("Secret", "secrets", [], CoreColumns.Secrets, strategy: new SecretStrategy(), fields: ["type"]);
        yield return Core("ConfigMap", "configmaps", ["cm"], CoreColumns.ConfigMaps);
        yield return Core("ServiceAccount", "serviceaccounts", ["sa"], CoreColumns.ServiceAccounts, CoreShapes.ServiceAccount);
        yield return Core(
            "PersistentVolumeClaim", "persistentvolumeclaims", ["pvc"], CoreColumns.VolumeClaims, status: true,
            strategy: new VolumeClaimStrategy());

        ResourceType Grouped(
            string group, string version, string kind, string plural, string[] shortNames, IReadOnlyList<TableColumn> columns,
            FieldShape? shape = null, bool namespaced = true, bool status = false, bool generation = false, ScalePaths? scale = null,
            ResourceStrategy? strategy = null, string[]? categories = null, bool review = false, string? notice = null) => new()
            {
                Group = group,
                Version = version,
                Kind = kind,
                Plural = plural,
                Singular = kind.ToLowerInvariant(),
                ShortNames = shortNames,
                Columns = columns,
                Shape = shape ?? CoreShapes.Plain,
                Namespaced = namespaced,
                HasStatus = status,
                TracksGeneration = generation,
                Scale = scale,
                Strategy = strategy ?? new ResourceStrategy(),
                Categories = categories ?? [],
                IsReview = review,
                Notice = notice,
            };
        var replicas = new ScalePaths(["spec", "replicas"], ["status", "replicas"], null);
        var workload = new WorkloadStrategy();

        yield return Grouped(
            "apps", "v1", "Deployment", "deployments", ["deploy"], WorkloadColumns.Deployments, CoreShapes.Workload, status: true,
            generation: true, scale: replicas, strategy: workload, categories: ["all"],
            notice: UnsupportedResources.Stored("Deployments"));
        yield return Grouped(
            "apps", "v1", "ReplicaSet", "replicasets", ["rs"], WorkloadColumns.ReplicaSets, CoreShapes.Workload, status: true,
            generation: true, scale: replicas, strategy: workload, categories: ["all"],
            notice: UnsupportedResources.Stored("ReplicaSets"));
        yield return Grouped(
            "apps", "v1", "DaemonSet", "daemonsets", ["ds"], WorkloadColumns.DaemonSets, CoreShapes.Workload, status: true,
            generation: true, strategy: workload, categories: ["all"],
            notice: UnsupportedResources.Stored("DaemonSets"));
        yield return Grouped(
            "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", ["pdb"], WorkloadColumns.DisruptionBudgets,
            CoreShapes.PodDisruptionBudget, status: true, generation: true);
        yield return Grouped(
            "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", ["hpa"], WorkloadColumns.Autoscalers, status: true,
            strategy: new HorizontalPodAutoscalerStrategy(), categories: ["all"]);
        yield return Grouped(
            "autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", ["hpa"], WorkloadColumns.Autoscalers, status: true,
            strategy: new FirstHorizontalPodAutoscalerStrategy(), categories: ["all"]);
        yield return Grouped(
            "networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", ["netpol"], WorkloadColumns.NetworkPolicies,
            CoreShapes.NetworkPolicy, generation: true, strategy: new NetworkPolicyStrategy());
        yield return Grouped(
            "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", ["pc"], WorkloadColumns.PriorityClasses, namespaced: false);
        yield return Grouped("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", [], WorkloadColumns.RuntimeClasses, namespaced: false);
        yield return Grouped(
            "resource.k8s.io", "v1", "ResourceClaimTemplate", "resourceclaimtemplates", [], StandardColumns.NameAndAge);
        yield return Grouped(
            "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", [], CoreColumns.EndpointSlices, CoreShapes.Plain);
        yield return Grouped("coordination.k8s.io", "v1", "Lease", "leases", [], CoreColumns.Leases);
        yield return Grouped("rbac.authorization.k8s.io", "v1", "Role", "roles", [], StandardColumns.NameAndCreation);
        yield return Grouped("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", [], CoreColumns.RoleBindings);
        yield return Grouped(
            "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", [], StandardColumns.NameAndCreation, namespaced: false);
        yield return Grouped(
            "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", [], CoreColumns.RoleBindings,
            namespaced: false);
        yield return Grouped(
            "admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", [],
            StandardColumns.NameAndCreation, namespaced: false, status: true, generation: true, categories: ["api-extensions"]);
        yield return Grouped(
            "admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", [],
            StandardColumns.NameAndCreation, namespaced: false, generation: true, categories: ["api-extensions"]);
        yield return Grouped(
            "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", ["crd", "crds"],
            StandardColumns.NameAndCreation, CoreShapes.CustomResourceDefinition, namespaced: false, status: true, generation: true,
            strategy: customResourceDefinitions, categories: ["api-extensions"]);
        yield return Grouped(
            "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", [], StandardColumns.NameAndAge,
            namespaced: false, review: true);
        yield return Grouped(
            "authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", [], StandardColumns.NameAndAge,
            namespaced: false, review: true);
        yield return Grouped(
            "authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", [], StandardColumns.NameAndAge, namespaced: false,
            review: true);
        foreach (var type in UnsupportedResources.All)
        {
            yield return type;
        }
    }
}
