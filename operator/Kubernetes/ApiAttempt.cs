namespace Cluster.Operator.Kubernetes;

/// <summary>One attempt of a request, as <see cref="KubernetesTransport"/> saw it end.</summary>
/// <param name="Host">Host and port of the server.</param>
/// <param name="StatusCode">0 when there was no answer.</param>
/// <param name="Duration">Until the answer was read; for a watch, until it was open.</param>
internal readonly record struct ApiAttempt(string Method, string Host, int StatusCode, TimeSpan Duration);
