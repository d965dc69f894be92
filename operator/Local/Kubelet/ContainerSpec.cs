using System.Globalization;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>A container as this node runs it: a process with its arguments, environment and probes, all references resolved.</summary>
internal sealed record ContainerSpec(
    string Name,
    string Image,
    IReadOnlyList<string> Command,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Environment,
    string? WorkingDirectory,
    ProbeSpec? Startup,
    ProbeSpec? Readiness,
    ProbeSpec? Liveness)
{
    /// <summary>A path of the container as one of this machine.</summary>
    public Func<string, string> MapPath { get; init; } = path => path;

    /// <summary>Its mounts, the deepest first: where it sees them, and where they are on this machine.</summary>
    public IReadOnlyList<(string MountPath, string HostPath)> Mounts { get; init; } = [];

    public bool HasTerminal { get; init; }

    /// <summary>Its input ends with the first client's.</summary>
    public bool StdinOnce { get; init; }
}

/// <summary>A pod cannot be turned into processes. The reason becomes the container's waiting reason, as the kubelet would show
/// it.</summary>
internal sealed class PodConfigurationException(string reason, string message) : Exception(message)
{
    public string Reason { get; } = reason;
}

/// <summary>Reads a pod's containers for a machine without containers: no network or mount namespaces, so a pod owns a loopback address
/// (<c>0.0.0.0</c> in its arguments becomes that address) and paths below its mounts become paths on this machine.</summary>
internal static class PodReader
{
    /// <param name="pod">The pod object.</param>
    /// <param name="podIP">The loopback address the pod owns.</param>
    /// <param name="volumes">Folder on this machine for each volume of the pod.</param>
    /// <param name="secret">Reads a key of a secret in the pod's namespace; null when there is none.</param>
    /// <exception cref="PodConfigurationException">A reference cannot be resolved or a field cannot be honoured.</exception>
    public static IReadOnlyList<ContainerSpec> Containers(
        JsonObject pod,
        string podIP,
        string hostIP,
        IReadOnlyDictionary<string, string> volumes,
        Func<string, string, string?> secret)
    {
        var containers = pod["spec"]?["containers"] as JsonArray ?? [];
        return [.. containers.OfType<JsonObject>().Select(container => One(pod, container, podIP, hostIP, volumes, secret))];
    }

    private static ContainerSpec One(
        JsonObject pod,
        JsonObject container,
        string podIP,
        string hostIP,
        IReadOnlyDictionary<string, string> volumes,
        Func<string, string, string?> secret)
    {
        var mounts = Mounts(container, volumes);
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var variable in (container["env"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var name = (string?)variable["name"] ?? "";
            var value = variable["valueFrom"] is JsonObject from
                ? FromReference(pod, name, from, podIP, hostIP, secret)
                : Expand((string?)variable["value"] ?? "", environment);
            if (value is not null)
            {
                environment[name] = MapPath(value, mounts);
            }
        }

        string Argument(JsonNode? value)
        {
            var text = MapPath(Expand((string?)value ?? "", environment), mounts);
            return text == "0.0.0.0" ? podIP : text;
        }

        var ports = Ports(container);
        return new ContainerSpec(
            (string?)container["name"] ?? "",
            (string?)container["image"] ?? "",
            [.. (container["command"] as JsonArray ?? []).Select(Argument)],
            [.. (container["args"] as JsonArray ?? []).Select(Argument)],
            environment,
            (string?)container["workingDir"] is { } directory ? MapPath(directory, mounts) : null,
            ProbeSpec.Read(container["startupProbe"] as JsonObject, ports),
            ProbeSpec.Read(container["readinessProbe"] as JsonObject, ports),
            ProbeSpec.Read(container["livenessProbe"] as JsonObject, ports))
        {
            MapPath = path => MapPath(path, mounts),
            Mounts = mounts,
            HasTerminal = (bool?)container["tty"] == true,
            StdinOnce = (bool?)container["stdinOnce"] == true,
        };
    }

    /// <summary>Named container ports, for probes that use the name.</summary>
    private static Dictionary<string, int> Ports(JsonObject container) =>
        (container["ports"] as JsonArray ?? []).OfType<JsonObject>()
            .Where(port => port["name"] is not null && port["containerPort"] is not null)
            .ToDictionary(port => (string)port["name"]!, port => (int)port["containerPort"]!, StringComparer.Ordinal);

    private static List<(string MountPath, string HostPath)> Mounts(JsonObject container, IReadOnlyDictionary<string, string> volumes)
    {
        var mounts = new List<(string, string)>();
        foreach (var mount in (container["volumeMounts"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var name = (string?)mount["name"] ?? "";
            if (!volumes.TryGetValue(name, out var folder))
            {
                throw new PodConfigurationException("CreateContainerConfigError", $"volumeMount '{name}' names no volume of this pod");
            }

            if ((string?)mount["subPath"] is { Length: > 0 } subPath)
            {
                folder = Path.Combine(folder, subPath);
            }

            mounts.Add((((string?)mount["mountPath"] ?? "").TrimEnd('/'), folder));
        }

        // The deepest mount wins, as it does in a mount namespace.
        mounts.Sort((a, b) => b.Item1.Length.CompareTo(a.Item1.Length));
        return mounts;
    }

    /// <summary>Rewrites a path below a mount, also as the value of <c>--flag=path</c>.</summary>
    private static string MapPath(string text, List<(string MountPath, string HostPath)> mounts)
    {
        var equals = text.StartsWith("--", StringComparison.Ordinal) ? text.IndexOf('=', StringComparison.Ordinal) : -1;
        var (prefix, path) = equals < 0 ? ("", text) : (text[..(equals + 1)], text[(equals + 1)..]);
        foreach (var (mountPath, hostPath) in mounts)
        {
            if (ArchiveNames.Covers(mountPath, path))
            {
                return prefix + hostPath + path[mountPath.Length..];
            }
        }

        return text;
    }

    /// <summary>Kubernetes' <c>$(NAME)</c> references; <c>$$</c> is a dollar, an unknown name stays as written.</summary>
    private static string Expand(string text, Dictionary<string, string> environment)
    {
        var result = new System.Text.StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '$' || i + 1 == text.Length)
            {
                result.Append(text[i]);
            }
            else if (text[i + 1] == '$')
            {
                result.Append('$');
                i++;
            }
            else if (text[i + 1] == '(' && text.IndexOf(')', i) is var end and > 0)
            {
                result.Append(environment.TryGetValue(text[(i + 2)..end], out var value) ? value : text[i..(end + 1)]);
                i = end;
            }
            else
            {
                result.Append('$');
            }
        }

        return result.ToString();
    }

    private static string? FromReference(
        JsonObject pod, string variable, JsonObject from, string podIP, string hostIP, Func<string, string, string?> secret)
    {
        if (from["fieldRef"] is JsonObject field)
        {
            var path = (string?)field["fieldPath"] ?? "";
            return path switch
            {
                "metadata.name" => (string?)pod["metadata"]?["name"],
                "metadata.namespace" => (string?)pod["metadata"]?["namespace"],
                "metadata.uid" => (string?)pod["metadata"]?["uid"],
                "spec.nodeName" => (string?)pod["spec"]?["nodeName"],
                "status.podIP" => podIP,
                "status.hostIP" => hostIP,
                _ => Member(pod, path) ?? throw Unsupported(variable, $"fieldPath '{path}'"),
            };
        }

        if (from["secretKeyRef"] is JsonObject reference)
        {
            var (name, key) = ((string?)reference["name"] ?? "", (string?)reference["key"] ?? "");
            var value = secret(name, key);
            return value is not null || (bool?)reference["optional"] == true
                ? value
                : throw new PodConfigurationException(
                    "CreateContainerConfigError", $"env '{variable}': secret '{name}' with key '{key}' not found");
        }

        throw Unsupported(variable, string.Create(CultureInfo.InvariantCulture, $"valueFrom.{from.FirstOrDefault().Key}"));
    }

    /// <summary><c>metadata.labels['x']</c> and <c>metadata.annotations['x']</c>.</summary>
    private static string? Member(JsonObject pod, string path)
    {
        foreach (var map in (ReadOnlySpan<string>)["labels", "annotations"])
        {
            var prefix = $"metadata.{map}['";
            if (path.StartsWith(prefix, StringComparison.Ordinal) && path.EndsWith("']", StringComparison.Ordinal))
            {
                return (string?)pod["metadata"]?[map]?[path[prefix.Length..^2]] ?? "";
            }
        }

        return null;
    }

    private static PodConfigurationException Unsupported(string variable, string what) =>
        new("CreateContainerConfigError", $"env '{variable}': {what} is not available in local mode");
}
