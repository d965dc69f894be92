using System.Net.Http.Headers;

namespace Cluster.Operator.Kubernetes;

/// <summary>What one request authenticates with. Deliberately no record: a printed credential would be a leaked one.</summary>
internal sealed class Credential
{
    public static Credential None { get; } = new();

    /// <summary>Bearer or Basic; null when the certificate speaks for itself.</summary>
    public AuthenticationHeaderValue? Authorization { get; init; }

    public ClientCertificate? Certificate { get; init; }

    /// <param name="origin">Where the token came from, for the error.</param>
    /// <exception cref="KubernetesException">It cannot be put into a header: empty, or with spaces or line breaks.</exception>
    public static Credential Bearer(string token, string origin, ClientCertificate? certificate = null)
        => token.Length > 0 && token.All(c => c is > ' ' and < '\u007F')
            ? new Credential { Authorization = new AuthenticationHeaderValue("Bearer", token), Certificate = certificate }
            : throw new KubernetesException(
                0, "Credentials",
                $"{origin} does not hold exactly one bearer token (it is empty, or has spaces, line breaks or non-ASCII characters)");
}

/// <summary>Where requests get their credential. Called by <see cref="KubernetesTransport"/> before every attempt.</summary>
internal interface ICredentialSource
{
    /// <exception cref="KubernetesException">No credential can be had; status 0, the message says why and what to do.</exception>
    ValueTask<Credential> GetAsync(CancellationToken cancellationToken);

    /// <summary>The server answered 401 to this one. Returns true when the next <see cref="GetAsync"/> may bring another.</summary>
    bool Reject(Credential credential);
}

/// <summary>A credential that never changes: certificate, literal token, password, or none.</summary>
internal sealed class FixedCredentialSource(Credential credential) : ICredentialSource
{
    public ValueTask<Credential> GetAsync(CancellationToken cancellationToken) => new(credential);

    public bool Reject(Credential credential) => false;
}
