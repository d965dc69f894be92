using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Kubernetes;

/// <summary>Finds and reads the client configuration. The machine it looks at (environment, home, service account folder, clock) can be replaced for tests.</summary>
internal sealed class ClientConfigurationLoader
{
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
            return File.Exists(kubeconfig) ? FromKubeconfig([kubeconfig], context) : throw Invalid($"kubeconfig '{kubeconfig}' does not exist");
        }

        IReadOnlyList<string> candidates = Environment("KUBECONFIG") is { Length: > 0 } list
            ? list.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            : [Path.Combine(Home, ".kube", "config")];
        IReadOnlyList<string> existing = [.. candidates.Where(File.Exists)];
        if (existing.Count > 0)
        {
            return FromKubeconfig(existing, context);
        }

        if (context is null && Environment("KUBERNETES_SERVICE_HOST") is { Length: > 0 } host)
        {
            return FromServiceAccount(host);
        }

        throw Invalid($"no cluster to talk to: {string.Join(", ", candidates.Select(path => $"'{path}'"))} {(candidates.Count > 1 ? "do" : "does")} not exist"
            + (context is null ? " and this is no pod (KUBERNETES_SERVICE_HOST is not set); pass --kubeconfig or set KUBECONFIG" : $", so there is no context '{context}'"));
    }

    private ClientConfiguration FromServiceAccount(string host)
    {
        string port = Environment("KUBERNETES_SERVICE_PORT") is { Length: > 0 } value ? value : "443";
        string authority = Path.Combine(ServiceAccountFolder, "ca.crt");
        string namespaceFile = Path.Combine(ServiceAccountFolder, "namespace");
        return new ClientConfiguration
        {
            Server = ParseServer($"https://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}", "KUBERNETES_SERVICE_HOST/PORT"),
            CertificateAuthorities = ClientCertificate.ReadAuthorities(ReadFile(authority, "service account"), authority),
            Namespace = File.Exists(namespaceFile) ? ReadFile(namespaceFile, "service account").Trim() : "default",
            Credentials = new TokenFileCredentialSource(Path.Combine(ServiceAccountFolder, "token"), certificate: null, Time),
        };
    }

    private ClientConfiguration FromKubeconfig(IReadOnlyList<string> paths, string? contextOverride)
    {
        Kubeconfig config = Kubeconfig.Load(paths);
        string where = $"kubeconfig {string.Join(Path.PathSeparator, paths)}";
        string contextName = contextOverride ?? config.CurrentContext ?? "";
        if (contextName.Length == 0)
        {
            throw Invalid($"{where}: no current-context; choose one of {Names(config.Contexts!.Select(item => item.Name))} with --context");
        }

        Kubeconfig.ContextEntry context = config.Contexts!.Find(item => item.Name == contextName)?.Context
            ?? throw Invalid($"{where}: no context '{contextName}'; there are {Names(config.Contexts.Select(item => item.Name))}");
        Kubeconfig.NamedCluster cluster = config.Clusters!.Find(item => item.Name == context.Cluster)
            ?? throw Invalid($"{where}: context '{contextName}' names cluster '{context.Cluster}', which is not there; there are {Names(config.Clusters.Select(item => item.Name))}");
        Kubeconfig.ClusterEntry entry = cluster.Cluster ?? throw Invalid($"{where}: cluster '{cluster.Name}' is empty");
        Kubeconfig.NamedUser? user = string.IsNullOrEmpty(context.User) ? null
            : config.Users!.Find(item => item.Name == context.User)
              ?? throw Invalid($"{where}: context '{contextName}' names user '{context.User}', which is not there; there are {Names(config.Users.Select(item => item.Name))}");

        string clusterAt = $"{where}: cluster '{cluster.Name}'";
        string? authorityPem = ReadPem(entry.CertificateAuthority, entry.CertificateAuthorityData, cluster.Folder, $"{clusterAt}: certificate-authority");
        if (authorityPem is not null && entry.InsecureSkipTlsVerify)
        {
            throw Invalid($"{clusterAt}: certificate-authority and insecure-skip-tls-verify contradict each other; remove one");
        }

        X509Certificate2Collection? authorities = authorityPem is null ? null : ClientCertificate.ReadAuthorities(authorityPem, $"{clusterAt}: certificate-authority");
        return new ClientConfiguration
        {
            Server = ParseServer(entry.Server, $"{clusterAt}: server"),
            Namespace = string.IsNullOrEmpty(context.Namespace) ? "default" : context.Namespace,
            CertificateAuthorities = authorities,
            SkipTlsVerify = entry.InsecureSkipTlsVerify,
            TlsServerName = string.IsNullOrEmpty(entry.TlsServerName) ? null : entry.TlsServerName,
            Proxy = ParseProxy(entry.ProxyUrl, clusterAt),
            DisableCompression = entry.DisableCompression,
            Impersonation = user?.User is { } acting ? ImpersonationOf(acting, $"{where}: user '{user.Name}'") : [],
            Credentials = user?.User is { } present
                ? CredentialsOf(present, user.Folder, $"{where}: user '{user.Name}'", entry, authorityPem)
                : new FixedCredentialSource(Credential.None),
        };
    }

    private ICredentialSource CredentialsOf(Kubeconfig.UserEntry user, string folder, string at, Kubeconfig.ClusterEntry cluster, string? authorityPem)
    {
        if (user.AuthProvider is { } legacy)
        {
            throw Invalid($"{at}: auth-provider '{legacy.Name}' was removed from Kubernetes clients in 1.26 and is not supported; use an exec plugin (for GKE: gke-gcloud-auth-plugin, for Azure: kubelogin)");
        }

        bool hasToken = !string.IsNullOrEmpty(user.Token) || !string.IsNullOrEmpty(user.TokenFile);
        bool hasPassword = !string.IsNullOrEmpty(user.Username);
        if ((hasToken ? 1 : 0) + (hasPassword ? 1 : 0) + (user.Exec is null ? 0 : 1) > 1)
        {
            throw Invalid($"{at}: more than one of token, username and exec; keep one");
        }

        ClientCertificate? certificate = CertificateOf(user, folder, at);
        if (user.Exec is { } exec)
        {
            return new ExecCredentialSource(PluginOf(exec, folder, $"{at}: exec", cluster, authorityPem), Time);
        }

        // As in client-go, the file wins over the literal: it is the one that gets renewed.
        if (!string.IsNullOrEmpty(user.TokenFile))
        {
            return new TokenFileCredentialSource(Path.Combine(folder, user.TokenFile), certificate, Time);
        }

        if (hasToken)
        {
            return new FixedCredentialSource(Credential.Bearer(user.Token!, $"{at}: token", certificate));
        }

        AuthenticationHeaderValue? header = hasPassword
            ? new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user.Username}:{user.Password}")))
            : null;
        return new FixedCredentialSource(new Credential { Authorization = header, Certificate = certificate });
    }

    private static ClientCertificate? CertificateOf(Kubeconfig.UserEntry user, string folder, string at)
    {
        string? certificate = ReadPem(user.ClientCertificate, user.ClientCertificateData, folder, $"{at}: client-certificate");
        string? key = ReadPem(user.ClientKey, user.ClientKeyData, folder, $"{at}: client-key");
        return (certificate, key) switch
        {
            (null, null) => null,
            (not null, not null) => ClientCertificate.FromPem(certificate, key, $"{at}: client-certificate"),
            _ => throw Invalid($"{at}: client-certificate and client-key must be given together"),
        };
    }

    private static ExecPlugin PluginOf(Kubeconfig.ExecEntry exec, string folder, string at, Kubeconfig.ClusterEntry cluster, string? authorityPem)
    {
        if (exec.ApiVersion is null || !ExecPlugin.SupportedVersions.Contains(exec.ApiVersion))
        {
            throw Invalid($"{at}: apiVersion '{exec.ApiVersion}' is not supported; supported: {string.Join(", ", ExecPlugin.SupportedVersions)}");
        }

        if (exec.InteractiveMode is not (null or "" or "Never" or "IfAvailable"))
        {
            throw Invalid($"{at}: interactiveMode '{exec.InteractiveMode}' cannot work here, nobody is there to answer; supported: Never, IfAvailable");
        }

        if (string.IsNullOrEmpty(exec.Command))
        {
            throw Invalid($"{at}: command is missing");
        }

        // A bare name is looked up in PATH; anything with a folder in it starts at the kubeconfig.
        string command = exec.Command.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal) ? Path.Combine(folder, exec.Command) : exec.Command;
        return new ExecPlugin(
            exec.ApiVersion,
            command,
            exec.Args ?? [],
            (exec.Env ?? []).GroupBy(item => item.Name, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Last().Value, StringComparer.Ordinal),
            exec.InstallHint,
            exec.ProvideClusterInfo ? ClusterInfo(cluster, authorityPem) : null);
    }

    private static JsonObject ClusterInfo(Kubeconfig.ClusterEntry cluster, string? authorityPem)
    {
        JsonObject info = new() { ["server"] = cluster.Server };
        void Set(string name, JsonNode? value)
        {
            if (value is not null)
            {
                info[name] = value;
            }
        }

        Set("tls-server-name", cluster.TlsServerName);
        Set("insecure-skip-tls-verify", cluster.InsecureSkipTlsVerify ? true : null);
        Set("certificate-authority-data", authorityPem is null ? null : Convert.ToBase64String(Encoding.UTF8.GetBytes(authorityPem)));
        Set("proxy-url", cluster.ProxyUrl);
        Set("config", cluster.Extensions?.Find(item => item.Name == "client.authentication.k8s.io/exec")?.Value?.DeepClone());
        return info;
    }

    private static List<KeyValuePair<string, string>> ImpersonationOf(Kubeconfig.UserEntry user, string at)
    {
        List<KeyValuePair<string, string>> headers = [];
        void Add(string name, string value) => headers.Add(new KeyValuePair<string, string>(name, value));
        if (!string.IsNullOrEmpty(user.Impersonate))
        {
            Add("Impersonate-User", user.Impersonate);
        }
        else if (user.ImpersonateUid is not null || user.ImpersonateGroups is { Count: > 0 } || user.ImpersonateExtra is { Count: > 0 })
        {
            throw Invalid($"{at}: as-uid, as-groups and as-user-extra need 'as'");
        }

        if (!string.IsNullOrEmpty(user.ImpersonateUid))
        {
            Add("Impersonate-Uid", user.ImpersonateUid);
        }

        user.ImpersonateGroups?.ForEach(group => Add("Impersonate-Group", group));
        foreach ((string key, List<string> values) in user.ImpersonateExtra ?? [])
        {
            values.ForEach(value => Add($"Impersonate-Extra-{Uri.EscapeDataString(key)}", value));
        }

        return headers;
    }

    private static string? ReadPem(string? file, string? data, string folder, string at) => (file, data) switch
    {
        // As in client-go, inline data wins over a file.
        (_, { Length: > 0 }) => ClientCertificate.DecodePem(data, $"{at}-data"),
        ({ Length: > 0 }, _) => ReadFile(Path.Combine(folder, file), at),
        _ => null,
    };

    private static string ReadFile(string path, string at)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Invalid($"{at}: cannot read '{path}': {error.Message}", error);
        }
    }

    private static Uri ParseServer(string? server, string at)
        => Uri.TryCreate(server, UriKind.Absolute, out Uri? uri) && uri.Scheme is "https" or "http" && uri is { Query: "", Fragment: "", UserInfo: "" }
            ? uri
            : throw Invalid($"{at}: '{server}' is no server address; expected something like https://10.0.0.1:6443");

    private static Uri? ParseProxy(string? proxy, string at)
        => string.IsNullOrEmpty(proxy) ? null
            : Uri.TryCreate(proxy, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" or "socks5" ? uri
            : throw Invalid($"{at}: proxy-url '{proxy}' is not supported; expected http://, https:// or socks5://");

    private static string Names(IEnumerable<string> names) => string.Join(", ", names.Select(name => $"'{name}'")) is { Length: > 0 } list ? list : "none";

    private static KubernetesException Invalid(string message, Exception? inner = null) => new(0, "Configuration", message, inner);
}
