using System.Security.Cryptography.X509Certificates;

namespace Cluster.Operator.Kubernetes;

/// <summary>Which API server to talk to, how to trust it and as whom. Everything in it has been checked.</summary>
internal sealed class ClientConfiguration
{
    /// <summary>May have a path prefix (<c>https://host/k8s/clusters/c1</c>).</summary>
    public required Uri Server { get; init; }

    /// <summary>Where namespaced objects without a namespace go.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>The only roots a server certificate may chain to; null trusts the machine's.</summary>
    public X509Certificate2Collection? CertificateAuthorities { get; init; }

    public bool SkipTlsVerify { get; init; }

    /// <summary>Name the server certificate must carry when it is not the server's address.</summary>
    public string? TlsServerName { get; init; }

    /// <summary>http, https or socks5; null leaves it to the environment.</summary>
    public Uri? Proxy { get; init; }

    public bool DisableCompression { get; init; }

    /// <summary>Impersonate-* headers of every request.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Impersonation { get; init; } = [];

    public ICredentialSource Credentials { get; init; } = new FixedCredentialSource(Credential.None);

    /// <summary>Finds the configuration as kubectl would: <paramref name="kubeconfig"/> if given, else <c>KUBECONFIG</c> or
    /// <c>~/.kube/config</c> where one exists, else the pod's service account.</summary>
    /// <param name="context">Context to use instead of the current one.</param>
    /// <exception cref="KubernetesException">Nothing found, or what was found is wrong; status 0 and the message says which file and
    /// field.</exception>
    public static ClientConfiguration Load(string? kubeconfig = null, string? context = null)
        => new ClientConfigurationLoader().Load(kubeconfig, context);

    /// <summary>One token over one address, nothing else: what local mode uses to talk to its own API server.</summary>
    public static ClientConfiguration ForToken(Uri server, string token)
        => new() { Server = server, Credentials = new FixedCredentialSource(Credential.Bearer(token, "the token")) };
}
