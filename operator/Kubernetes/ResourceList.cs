using k8s;

namespace Cluster.Operator.Kubernetes;

/// <summary>A list answer: the items and the version to start a watch from.</summary>
internal sealed record ResourceList<T>(IReadOnlyList<T> Items, string ResourceVersion);

/// <summary>One event of a watch. An <see cref="WatchEventType.Error"/> is never one: it is thrown.</summary>
internal sealed record WatchEvent<T>(WatchEventType Type, T Object);
