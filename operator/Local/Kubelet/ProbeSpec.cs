using System.Text.Json.Nodes;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>A probe with Kubernetes' defaults filled in.</summary>
internal sealed record ProbeSpec(
    ProbeKind Kind,
    int Port,
    string Path,
    string Service,
    IReadOnlyList<string> Command,
    TimeSpan InitialDelay,
    TimeSpan Period,
    TimeSpan Timeout,
    int SuccessThreshold,
    int FailureThreshold)
{
    /// <param name="ports">The container's named ports.</param>
    /// <exception cref="PodConfigurationException">The probe names an unknown port or has no action.</exception>
    public static ProbeSpec? Read(JsonObject? probe, IReadOnlyDictionary<string, int> ports)
    {
        if (probe is null)
        {
            return null;
        }

        var (kind, action) = probe switch
        {
            _ when probe["httpGet"] is JsonObject http => (ProbeKind.Http, http),
            _ when probe["tcpSocket"] is JsonObject tcp => (ProbeKind.Tcp, tcp),
            _ when probe["grpc"] is JsonObject grpc => (ProbeKind.Grpc, grpc),
            _ when probe["exec"] is JsonObject exec => (ProbeKind.Exec, exec),
            _ => throw new PodConfigurationException("CreateContainerConfigError", "a probe needs one of httpGet, tcpSocket, grpc or exec"),
        };
        return new ProbeSpec(
            kind,
            kind == ProbeKind.Exec ? 0 : ReadPort(action["port"], ports),
            (string?)action["path"] ?? "/",
            (string?)action["service"] ?? "",
            [.. (action["command"] as JsonArray ?? []).Select(part => (string?)part ?? "")],
            Seconds("initialDelaySeconds", 0),
            Seconds("periodSeconds", 10),
            Seconds("timeoutSeconds", 1),
            (int?)probe["successThreshold"] ?? 1,
            (int?)probe["failureThreshold"] ?? 3);

        TimeSpan Seconds(string name, int fallback) => TimeSpan.FromSeconds((int?)probe[name] ?? fallback);
    }

    private static int ReadPort(JsonNode? port, IReadOnlyDictionary<string, int> ports)
    {
        if (port is JsonValue value && value.TryGetValue<string>(out var name))
        {
            return ports.TryGetValue(name, out var known)
                ? known
                : throw new PodConfigurationException(
                    "CreateContainerConfigError", $"a probe names port '{name}', which the container does not have");
        }

        return (int?)port ?? throw new PodConfigurationException("CreateContainerConfigError", "a probe has no port");
    }
}

internal enum ProbeKind
{
    Http,
    Tcp,
    Grpc,
    Exec,
}
