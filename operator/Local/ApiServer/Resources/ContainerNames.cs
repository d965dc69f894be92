using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>The names of a pod's containers: DNS labels, each once among all of them
/// (k8s.io/kubernetes/pkg/apis/core/validation).</summary>
internal static class ContainerNames
{
    /// <param name="path">Of <paramref name="spec"/>, such as <c>spec.template.spec</c>.</param>
    public static IEnumerable<FieldError> Validate(JsonNode? spec, string path)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var list in new[] { "containers", "initContainers" })
        {
            var index = 0;
            foreach (var container in spec.Items(list))
            {
                var field = $"{path}.{list}[{index++}].name";
                if (container.Text("name") is not { Length: > 0 } name)
                {
                    yield return FieldError.Required(field);
                    continue;
                }

                foreach (var problem in MetadataSyntax.DnsLabelProblems(name))
                {
                    yield return FieldError.Invalid(field, $"\"{name}\"", problem);
                }

                if (!names.Add(name))
                {
                    yield return FieldError.Duplicate(field, $"\"{name}\"");
                }
            }
        }
    }
}
