namespace Cluster.Operator.Manifests;

/// <summary>An API server would not take the manifest; the message is the one that it would answer.</summary>
internal sealed class ManifestException(string message) : Exception(message);
