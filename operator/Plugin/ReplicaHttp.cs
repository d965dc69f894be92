using System.Net.Http.Headers;
using Cluster.Common;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Plugin;

/// <summary>HTTP to a worker through the API server: every connection is a port-forward of its own, and is kept for the next
/// request.</summary>
/// <remarks>Not the API server's proxy for pods: that one takes the Authorization header for itself, so that no key reaches the worker, and
/// whoever may use it may send whatever they like to any pod.</remarks>
internal static class ReplicaHttp
{
    private static readonly TimeSpan IdleConnection = TimeSpan.FromMinutes(1);

    /// <param name="apiKey">Sent as a bearer token; null sends none.</param>
    public static HttpClient Over(PodStreams pods, V1Pod pod, string? apiKey)
    {
        var worker = pod.Spec.Containers?.FirstOrDefault(container => container.Name == WorkerTemplate.ContainerName);
        var port = worker?.Ports?.FirstOrDefault(named => named.Name == "http")?.ContainerPort ?? WorkerFlags.DefaultHttpPort;
        var (@namespace, name) = (pod.Metadata.NamespaceProperty, pod.Metadata.Name);
        SocketsHttpHandler handler = new()
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            PooledConnectionIdleTimeout = IdleConnection,
            ConnectCallback = async (_, cancellationToken) => await ClusterAccess.AskAsync(
                () => pods.ConnectAsync(@namespace, name, port, cancellationToken), AccessRule.PortForward(@namespace)),
        };
#pragma warning disable CA5359 // The API server has led us to this very pod, and no certificate carries a pod's name.
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        var scheme = worker?.ReadinessProbe?.HttpGet?.Scheme == "HTTPS" ? "https" : "http";

        // Workers answer to their own names only, and to this one.
        return Create(handler, new Uri($"{scheme}://localhost:{port}"), apiKey);
    }

    /// <summary>Straight to an address, such as a gateway's.</summary>
    public static HttpClient To(Uri address, string? apiKey) =>
        Create(new SocketsHttpHandler { UseProxy = !address.IsLoopback, AllowAutoRedirect = false, UseCookies = false }, address, apiKey);

    /// <summary>What to say of a request that got no answer.</summary>
    public static string Reason(HttpRequestException error) => Cause<CommandFailure>(error)?.Message
        ?? Cause<KubernetesException>(error)?.Message ?? error.GetBaseException().Message;

    /// <summary>Whether a pod answers requests.</summary>
    public static bool IsServing(V1Pod pod) => Replica.Of(pod).Ready;

    private static HttpClient Create(SocketsHttpHandler handler, Uri address, string? apiKey)
    {
        HttpClient http = new(handler) { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.Authorization = apiKey is null ? null : new AuthenticationHeaderValue("Bearer", apiKey);
        return http;
    }

    /// <summary>The first error of this kind among the causes of another.</summary>
    public static T? Cause<T>(Exception? error)
        where T : Exception
    {
        while (error is not null and not T)
        {
            error = error.InnerException;
        }

        return error as T;
    }
}
