using System.Text.Json.Nodes;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Manifests;

/// <summary>The places of a PodSpec where of several fields one only may be set, in the words and the order of
/// k8s.io/kubernetes/pkg/apis/core/validation. Used to merge a podTemplate, and to refuse what kube-apiserver refuses.</summary>
internal static class PodUnions
{
    // In the order in which they are looked at: the second that is found is the one complained of.
    private static readonly string[] Handlers = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

    private static readonly string[] VolumeTypes =
    [
        "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi", "glusterfs", "flocker",
        "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc", "flexVolume", "configMap", "azureFile",
        "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos", "projected", "scaleIO", "csi", "ephemeral",
        "image",
    ];

    private static readonly string[] ProjectedTypes =
        ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"];

    private static readonly string[] Values = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];

    private static readonly string[] Probes = ["livenessProbe", "readinessProbe", "startupProbe"];

    /// <summary>The members of a union, by the field that holds it, or the list whose items are it; empty where there is none.</summary>
    public static IReadOnlyList<string> MembersOf(string holder) => holder switch
    {
        "livenessProbe" or "readinessProbe" or "startupProbe" or "postStart" or "preStop" => Handlers,
        "volumes" => VolumeTypes,
        "env" => ["value", "valueFrom"],
        "valueFrom" => Values,
        _ => [],
    };

    /// <param name="path">Such as <c>spec</c> or <c>spec.template.spec</c>.</param>
    public static IEnumerable<FieldError> Validate(JsonNode? podSpec, string path)
    {
        var volumes = podSpec.Items("volumes").ToList();
        for (var i = 0; i < volumes.Count; i++)
        {
            foreach (var error in OneOf(volumes[i], $"{path}.volumes[{i}]", VolumeTypes, "may not specify more than 1 volume type"))
            {
                yield return error;
            }

            var sources = volumes[i].Items("projected", "sources").ToList();
            for (var j = 0; j < sources.Count; j++)
            {
                var at = $"{path}.volumes[{i}].projected.sources[{j}]";
                foreach (var error in OneOf(sources[j], at, ProjectedTypes, "may not specify more than 1 volume type per source"))
                {
                    yield return error;
                }
            }
        }

        foreach (var list in new[] { "initContainers", "containers" })
        {
            var containers = podSpec.Items(list).ToList();
            for (var i = 0; i < containers.Count; i++)
            {
                foreach (var error in ValidateContainer(containers[i], $"{path}.{list}[{i}]"))
                {
                    yield return error;
                }
            }
        }
    }

    private static IEnumerable<FieldError> ValidateContainer(JsonNode? container, string path)
    {
        var variables = container.Items("env").ToList();
        for (var i = 0; i < variables.Count; i++)
        {
            if (variables[i].At("valueFrom") is JsonObject source)
            {
                var at = $"{path}.env[{i}].valueFrom";
                var count = Values.Count(value => source[value] is not null);
                if (count == 0)
                {
                    yield return FieldError.Invalid(
                        at, "\"\"",
                        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`");
                }
                else if (variables[i].Text("value") is { Length: > 0 })
                {
                    yield return FieldError.Invalid(at, "\"\"", "may not be specified when `value` is not empty");
                }
                else if (count > 1)
                {
                    yield return FieldError.Invalid(at, "\"\"", "may not have more than one field specified at a time");
                }
            }
        }

        var references = container.Items("envFrom").ToList();
        for (var i = 0; i < references.Count; i++)
        {
            var count = new[] { "configMapRef", "secretRef" }.Count(name => references[i].At(name) is not null);
            if (count != 1)
            {
                yield return FieldError.Invalid(
                    $"{path}.envFrom[{i}]", "\"\"",
                    count == 0
                        ? "must specify one of: `configMapRef` or `secretRef`"
                        : "may not have more than one field specified at a time");
            }
        }

        var handlers = new[] { "postStart", "preStop" }.Select(hook => (At: $"lifecycle.{hook}", Node: container.At("lifecycle", hook)))
            .Concat(Probes.Select(probe => (At: probe, Node: container.At(probe))));
        foreach (var (at, node) in handlers)
        {
            if (node is not JsonObject handler)
            {
                continue;
            }

            foreach (var error in OneOf(handler, $"{path}.{at}", Handlers, "may not specify more than 1 handler type"))
            {
                yield return error;
            }

            if (!Handlers.Any(type => handler[type] is not null))
            {
                yield return FieldError.Required($"{path}.{at}", "must specify a handler type");
            }
        }
    }

    private static IEnumerable<FieldError> OneOf(JsonNode? holder, string path, string[] members, string complaint) =>
        members.Where(member => holder.At(member) is not null).Skip(1)
            .Select(member => FieldError.Forbidden($"{path}.{member}", complaint));
}
