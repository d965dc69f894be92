using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Kubernetes;

/// <summary>A kubeconfig as it is written (kind Config, v1), one file or several merged. <see cref="ClientConfigurationLoader"/> makes a <see cref="ClientConfiguration"/> of it.</summary>
internal sealed class Kubeconfig
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.KebabCaseLower,
        MaxDepth = KubernetesJson.MaxDepth,
        Converters = { new LenientStringConverter() },
    };

    public string? CurrentContext { get; set; }

    public List<NamedCluster>? Clusters { get; set; }

    public List<NamedContext>? Contexts { get; set; }

    public List<NamedUser>? Users { get; set; }

    /// <summary>Reads and merges: the first file that sets a name or the current context wins, as with kubectl.</summary>
    /// <exception cref="KubernetesException">A file cannot be read or is no kubeconfig; the message names file and place.</exception>
    public static Kubeconfig Load(IEnumerable<string> paths)
    {
        Kubeconfig merged = new() { Clusters = [], Contexts = [], Users = [] };
        foreach (string path in paths)
        {
            Kubeconfig file = LoadFile(path);
            merged.CurrentContext = string.IsNullOrEmpty(merged.CurrentContext) ? file.CurrentContext : merged.CurrentContext;
            Merge(merged.Clusters, file.Clusters, cluster => cluster.Name);
            Merge(merged.Contexts, file.Contexts, context => context.Name);
            Merge(merged.Users, file.Users, user => user.Name);
        }

        return merged;
    }

    private static void Merge<T>(List<T> into, List<T>? from, Func<T, string> name)
        => into.AddRange((from ?? []).Where(item => !into.Any(known => name(known) == name(item))));

    private static Kubeconfig LoadFile(string path)
    {
        try
        {
            Kubeconfig file = YamlJson.ParseAll(File.ReadAllText(path), path) switch
            {
                [] => new Kubeconfig(),
                [{ Root: JsonObject root }] => root.Deserialize<Kubeconfig>(s_options)!,
                _ => throw Invalid(path, "expected one mapping (kind: Config)"),
            };
            file.Clusters?.RemoveAll(item => item is null);
            file.Contexts?.RemoveAll(item => item is null);
            file.Users?.RemoveAll(item => item is null);
            string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
            file.Clusters?.ForEach(cluster => cluster.Folder = folder);
            file.Users?.ForEach(user => user.Folder = folder);
            return file;
        }
        catch (YamlSyntaxException error)
        {
            throw new KubernetesException(0, "Configuration", $"kubeconfig {error.Message}", error);
        }
        catch (JsonException error)
        {
            throw Invalid(path, error.Message, error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Invalid(path, error.Message, error);
        }
    }

    private static KubernetesException Invalid(string path, string problem, Exception? inner = null)
        => new(0, "Configuration", $"kubeconfig '{path}': {problem}", inner);

    internal sealed class NamedCluster
    {
        public string Name { get; set; } = "";

        public ClusterEntry? Cluster { get; set; }

        /// <summary>Folder of the file it came from; its relative paths start there.</summary>
        [JsonIgnore]
        public string Folder { get; set; } = "";
    }

    internal sealed class ClusterEntry
    {
        public string? Server { get; set; }

        public string? TlsServerName { get; set; }

        public bool InsecureSkipTlsVerify { get; set; }

        public string? CertificateAuthority { get; set; }

        public string? CertificateAuthorityData { get; set; }

        public string? ProxyUrl { get; set; }

        public bool DisableCompression { get; set; }

        public List<Extension>? Extensions { get; set; }
    }

    internal sealed class Extension
    {
        public string Name { get; set; } = "";

        [JsonPropertyName("extension")]
        public JsonNode? Value { get; set; }
    }

    internal sealed class NamedContext
    {
        public string Name { get; set; } = "";

        public ContextEntry? Context { get; set; }
    }

    internal sealed class ContextEntry
    {
        public string? Cluster { get; set; }

        public string? User { get; set; }

        public string? Namespace { get; set; }
    }

    internal sealed class NamedUser
    {
        public string Name { get; set; } = "";

        public UserEntry? User { get; set; }

        [JsonIgnore]
        public string Folder { get; set; } = "";
    }

    internal sealed class UserEntry
    {
        public string? ClientCertificate { get; set; }

        public string? ClientCertificateData { get; set; }

        public string? ClientKey { get; set; }

        public string? ClientKeyData { get; set; }

        public string? Token { get; set; }

        [JsonPropertyName("tokenFile")]
        public string? TokenFile { get; set; }

        public string? Username { get; set; }

        public string? Password { get; set; }

        [JsonPropertyName("as")]
        public string? Impersonate { get; set; }

        [JsonPropertyName("as-uid")]
        public string? ImpersonateUid { get; set; }

        [JsonPropertyName("as-groups")]
        public List<string>? ImpersonateGroups { get; set; }

        [JsonPropertyName("as-user-extra")]
        public Dictionary<string, List<string>>? ImpersonateExtra { get; set; }

        public AuthProviderEntry? AuthProvider { get; set; }

        public ExecEntry? Exec { get; set; }
    }

    internal sealed class AuthProviderEntry
    {
        public string? Name { get; set; }
    }

    internal sealed class ExecEntry
    {
        [JsonPropertyName("apiVersion")]
        public string? ApiVersion { get; set; }

        public string? Command { get; set; }

        public List<string>? Args { get; set; }

        public List<EnvEntry>? Env { get; set; }

        [JsonPropertyName("installHint")]
        public string? InstallHint { get; set; }

        [JsonPropertyName("provideClusterInfo")]
        public bool ProvideClusterInfo { get; set; }

        [JsonPropertyName("interactiveMode")]
        public string? InteractiveMode { get; set; }
    }

    internal sealed class EnvEntry
    {
        public string Name { get; set; } = "";

        public string Value { get; set; } = "";
    }

    /// <summary>An unquoted <c>password: 12345</c> is the text 12345, as for kubectl.</summary>
    private sealed class LenientStringConverter : JsonConverter<string>
    {
        public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.True => "true",
            JsonTokenType.False => "false",
            JsonTokenType.Number => System.Text.Encoding.UTF8.GetString(reader.ValueSpan),
            _ => throw new JsonException(),
        };

        public override string ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString()!;

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
    }
}
