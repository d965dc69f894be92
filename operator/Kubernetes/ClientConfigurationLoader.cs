using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using k8s;
using k8s.KubeConfigModels;

namespace Cluster.Operator.Kubernetes;

/// <summary>Finds and reads the client configuration. The machine it looks at (environment, home, service account folder, clock) can be
/// replaced for tests.</summary>
internal sealed class ClientConfigurationLoader
{
    private static readonly string[] ExecVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

    public Func<string, string?> Environment { get; init; } = System.Environment.GetEnvironmentVariable;

    public string Home { get; init; } = System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile);

    /// <summary>Where the kubelet mounts token, ca.crt and namespace.</summary>
    public string ServiceAccountFolder { get; init; } = "/var/run/secrets/kubernetes.io/serviceaccount";

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <inheritdoc cref="ClientConfiguration.Load"/>
    public ClientConfiguration Load(string? kubeconfig, string? context)
    {
        if (kubeconfig is not null)
        {
            return RegularFile.IsThere(kubeconfig)
                ? FromKubeconfig([kubeconfig], context)
                : throw Invalid($"kubeconfig '{kubeconfig}' does not exist");
        }

        IReadOnlyList<string> candidates = Environment("KUBECONFIG") is { Length: > 0 } list
            ? list.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            : [Path.Combine(Home, ".kube", "config")];
        IReadOnlyList<string> existing = [.. candidates.Where(RegularFile.IsThere)];
        if (existing.Count > 0)
        {
            return FromKubeconfig(existing, context);
        }

        if (context is null && Environment("KUBERNETES_SERVICE_HOST") is { Length: > 0 } host)
        {
            return FromServiceAccount(host);
        }

        throw Invalid(
            $"no cluster to talk to: {string.Join(", ", candidates.Select(path => $"'{path}'"))} "
            + $"{(candidates.Count > 1 ? "do" : "does")} not exist"
            + (context is null
                ? " and this is no pod (KUBERNETES_SERVICE_HOST is not set); pass --kubeconfig or set KUBECONFIG"
                : $", so there is no context '{context}'"));
    }

    /// <summary>As the library's <c>InClusterConfig</c>, of a folder and an environment that a test can name.</summary>
    private ClientConfiguration FromServiceAccount(string host)
    {
        var port = Environment("KUBERNETES_SERVICE_PORT") is { Length: > 0 } value ? value : "443";
        var authority = Path.Combine(ServiceAccountFolder, "ca.crt");
        var namespaceFile = Path.Combine(ServiceAccountFolder, "namespace");
        return new ClientConfiguration
        {
            Server = ParseServer(
                $"https://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}", "KUBERNETES_SERVICE_HOST/PORT"),
            CertificateAuthorities = ClientCertificate.ReadAuthorities(ReadFile(authority, "service account"), authority),
            Namespace = RegularFile.IsThere(namespaceFile) ? ReadFile(namespaceFile, "service account").Trim() : "default",
            Credentials = new TokenFileCredentialSource(Path.Combine(ServiceAccountFolder, "token"), certificate: null),
        };
    }

    private ClientConfiguration FromKubeconfig(IReadOnlyList<string> paths, string? contextOverride)
    {
        var config = Kubeconfig.Load(paths);
        var where = $"kubeconfig {string.Join(Path.PathSeparator, paths)}";
        var contextName = contextOverride
            ?? config.CurrentContext
                ?? throw Invalid($"{where}: no current-context; choose one of {config.Names("context")} with --context");
        var context = config.Find("context", contextName)
            ?? throw Invalid($"{where}: no context '{contextName}'; there are {config.Names("context")}");
        var (clusterName, userName) = (Kubeconfig.Text(context, "cluster"), Kubeconfig.Text(context, "user"));
        var cluster = config.Find("cluster", clusterName)
            ?? throw Invalid(
                $"{where}: context '{contextName}' names cluster '{clusterName}', which is not there; there are {config.Names("cluster")}");
        var user = userName is null ? null
            : config.Find("user", userName)
              ?? throw Invalid(
                  $"{where}: context '{contextName}' names user '{userName}', which is not there; there are {config.Names("user")}");

        var clusterAt = $"{where}: cluster '{clusterName}'";
        var connection = ReadCluster(cluster, clusterAt);
        var userAt = $"{where}: user '{userName}'";
        return new ClientConfiguration
        {
            Server = ParseServer(connection.Host, $"{clusterAt}: server"),
            Namespace = Kubeconfig.Text(context, "namespace") ?? "default",
            CertificateAuthorities = connection.SslCaCerts,
            SkipTlsVerify = connection.SkipTlsVerify,
            TlsServerName = string.IsNullOrEmpty(connection.TlsServerName) ? null : connection.TlsServerName,
            Proxy = ParseProxy(Kubeconfig.Text(cluster, "proxy-url"), clusterAt),
            DisableCompression = Kubeconfig.Text(cluster, "disable-compression") == "true",
            Impersonation = user is null ? [] : ImpersonationOf(user, userAt),
            Credentials = user is null
                ? new FixedCredentialSource(Credential.None)
                : CredentialsOf(user, userAt, cluster, connection.SslCaCerts),
        };
    }

    /// <summary>Server and trust as the library reads them.</summary>
    private static KubernetesClientConfiguration ReadCluster(JsonObject body, string at)
    {
        var endpoint = Kubeconfig.Read<ClusterEndpoint>(body, at);
        var hasAuthority = !string.IsNullOrEmpty(endpoint.CertificateAuthority) || !string.IsNullOrEmpty(endpoint.CertificateAuthorityData);
        if (hasAuthority && endpoint.SkipTlsVerify)
        {
            throw Invalid($"{at}: certificate-authority and insecure-skip-tls-verify contradict each other; remove one");
        }

        ParseServer(endpoint.Server, $"{at}: server");
        var only = new K8SConfiguration
        {
            CurrentContext = "only",
            Contexts = [new Context { Name = "only", ContextDetails = new ContextDetails { Cluster = "only" } }],
            Clusters = [new k8s.KubeConfigModels.Cluster { Name = "only", ClusterEndpoint = endpoint }],
        };
        try
        {
            // The library opens whatever is there.
            if (endpoint is { CertificateAuthority.Length: > 0, CertificateAuthorityData: null or "" })
            {
                RegularFile.CheckPath(endpoint.CertificateAuthority, FileKind.Secret);
            }

            var read = KubernetesClientConfiguration.BuildConfigFromConfigObject(only);
            return read.SslCaCerts is not { Count: 0 } ? read : throw Invalid($"{at}: certificate-authority: holds no PEM certificate");
        }
        catch (Exception error) when (error is FormatException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw Invalid($"{at}: certificate-authority: {error.Message}", error);
        }
    }

    private ICredentialSource CredentialsOf(JsonObject body, string at, JsonObject cluster, X509Certificate2Collection? authorities)
    {
        // The library's model has strings where as-user-extra has lists.
        var known = body.DeepClone().AsObject();
        known.Remove("as-user-extra");
        var user = Kubeconfig.Read<UserCredentials>(known, at);
        if (user.AuthProvider is { } legacy)
        {
            throw Invalid(
                $"{at}: auth-provider '{legacy.Name}' was removed from Kubernetes clients in 1.26 and is not supported; use an exec "
                + $"plugin (for GKE: gke-gcloud-auth-plugin, for Azure: kubelogin)");
        }

        var tokenFile = Kubeconfig.Text(body, "tokenFile");
        var hasToken = !string.IsNullOrEmpty(user.Token) || tokenFile is not null;
        var hasPassword = !string.IsNullOrEmpty(user.UserName);
        if ((hasToken ? 1 : 0) + (hasPassword ? 1 : 0) + (user.ExternalExecution is null ? 0 : 1) > 1)
        {
            throw Invalid($"{at}: more than one of token, username and exec; keep one");
        }

        var certificate = CertificateOf(user, at);
        if (user.ExternalExecution is { } exec)
        {
            return PluginOf(exec, Kubeconfig.Text(body["exec"]!.AsObject(), "interactiveMode"), $"{at}: exec", cluster, authorities);
        }

        // As in client-go, the file wins over the literal: it is the one that gets renewed.
        if (tokenFile is not null)
        {
            return new TokenFileCredentialSource(tokenFile, certificate);
        }

        if (hasToken)
        {
            return new FixedCredentialSource(Credential.Bearer(user.Token, $"{at}: token", certificate));
        }

        var header = hasPassword
            ? new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user.UserName}:{user.Password}")))
            : null;
        return new FixedCredentialSource(new Credential { Authorization = header, Certificate = certificate });
    }

    private static ClientCertificate? CertificateOf(UserCredentials user, string at)
    {
        var certificate = ReadPem(user.ClientCertificate, user.ClientCertificateData, $"{at}: client-certificate");
        var key = ReadPem(user.ClientKey, user.ClientKeyData, $"{at}: client-key");
        return (certificate, key) switch
        {
            (null, null) => null,
            (not null, not null) => ClientCertificate.FromPem(certificate, key, $"{at}: client-certificate"),
            _ => throw Invalid($"{at}: client-certificate and client-key must be given together"),
        };
    }

    private ExecCredentialSource PluginOf(
        ExternalExecution exec, string? interactiveMode, string at, JsonObject cluster, X509Certificate2Collection? authorities)
    {
        if (!ExecVersions.Contains(exec.ApiVersion))
        {
            throw Invalid($"{at}: apiVersion '{exec.ApiVersion}' is not supported; supported: {string.Join(", ", ExecVersions)}");
        }

        if (interactiveMode is not (null or "Never" or "IfAvailable"))
        {
            throw Invalid(
                $"{at}: interactiveMode '{interactiveMode}' cannot work here, nobody is there to answer; supported: Never, IfAvailable");
        }

        return string.IsNullOrEmpty(exec.Command)
            ? throw Invalid($"{at}: command is missing")
            : new ExecCredentialSource(exec, exec.ProvideClusterInfo ? ClusterInfo(cluster, authorities) : null, Time);
    }

    /// <summary>What a plugin that asks for it is told of the cluster.</summary>
    private static JsonObject ClusterInfo(JsonObject cluster, X509Certificate2Collection? authorities)
    {
        JsonObject info = [];
        foreach (var field in (string[])["server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url"])
        {
            if (cluster[field] is { } value)
            {
                info[field] = value.DeepClone();
            }
        }

        if (authorities is not null)
        {
            info["certificate-authority-data"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(authorities.ExportCertificatePems()));
        }

        var extension = (cluster["extensions"] as JsonArray ?? []).OfType<JsonObject>()
            .FirstOrDefault(item => Kubeconfig.Text(item, "name") == "client.authentication.k8s.io/exec");
        if (extension?["extension"] is { } config)
        {
            info["config"] = config.DeepClone();
        }

        return info;
    }

    /// <summary>The library reads some of these fields and sends none.</summary>
    private static List<KeyValuePair<string, string>> ImpersonationOf(JsonObject user, string at)
    {
        List<KeyValuePair<string, string>> headers = [];
        void Add(string name, string? value)
        {
            if (value is not null)
            {
                headers.Add(new KeyValuePair<string, string>(name, value));
            }
        }

        Add("Impersonate-User", Kubeconfig.Text(user, "as"));
        Add("Impersonate-Uid", Kubeconfig.Text(user, "as-uid"));
        foreach (var group in user["as-groups"] as JsonArray ?? [])
        {
            Add("Impersonate-Group", group?.ToString());
        }

        foreach (var (key, values) in user["as-user-extra"] as JsonObject ?? [])
        {
            foreach (var value in values as JsonArray ?? [])
            {
                Add($"Impersonate-Extra-{Uri.EscapeDataString(key)}", value?.ToString());
            }
        }

        return headers.Count == 0 || headers[0].Key == "Impersonate-User"
            ? headers
            : throw Invalid($"{at}: as-uid, as-groups and as-user-extra need 'as'");
    }

    private static string? ReadPem(string? file, string? data, string at) => (file, data) switch
    {
        // As in client-go, inline data wins over a file.
        (_, { Length: > 0 }) => ClientCertificate.DecodePem(data, $"{at}-data"),
        ({ Length: > 0 }, _) => ReadFile(file, at),
        _ => null,
    };

    private static string ReadFile(string path, string at)
    {
        try
        {
            return RegularFile.ReadText(path, FileKind.Secret);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Invalid($"{at}: cannot read '{path}': {error.Message}", error);
        }
    }

    private static Uri ParseServer(string? server, string at)
        => Uri.TryCreate(server, UriKind.Absolute, out var uri)
            && uri.Scheme is "https" or "http"
            && uri is { Query: "", Fragment: "", UserInfo: "" }
            ? uri
            : throw Invalid($"{at}: '{server}' is no server address; expected something like https://10.0.0.1:6443");

    private static Uri? ParseProxy(string? proxy, string at)
        => proxy is null ? null
            : Uri.TryCreate(proxy, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" or "socks5" ? uri
            : throw Invalid($"{at}: proxy-url '{proxy}' is not supported; expected http://, https:// or socks5://");

    private static KubernetesException Invalid(string message, Exception? inner = null) => new(0, "Configuration", message, inner);
}
