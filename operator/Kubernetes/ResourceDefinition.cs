using System.Reflection;
using k8s;
using k8s.Models;

namespace Cluster.Operator.Kubernetes;

/// <summary>Where a kind lives in the API: <c>/api/v1/…</c> for the core group (empty <paramref name="Group"/>),
/// <c>/apis/{Group}/{Version}/…</c> otherwise.</summary>
internal sealed record ResourceDefinition(string Group, string Version, string Kind, string Plural, bool Namespaced)
{
    /// <summary>The kinds without a namespace that are read or written here. The library's models do not say which those are.</summary>
    private static readonly HashSet<Type> ClusterScoped = [typeof(V1Node), typeof(V1Namespace), typeof(V1CustomResourceDefinition)];

    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>What the type's <see cref="KubernetesEntityAttribute"/> says.</summary>
    public static ResourceDefinition Of<T>()
        where T : IKubernetesObject<V1ObjectMeta>
        => Known<T>.Definition;

    private static ResourceDefinition Read(Type type)
        => type.GetCustomAttribute<KubernetesEntityAttribute>() is { } entity
            ? new ResourceDefinition(entity.Group, entity.ApiVersion, entity.Kind, entity.PluralName, !ClusterScoped.Contains(type))
            : throw new InvalidOperationException($"{type.Name} has no {nameof(KubernetesEntityAttribute)} that says where the API has it");

    private static class Known<T>
    {
        public static ResourceDefinition Definition { get; } = Read(typeof(T));
    }
}
