using k8s.Authentication;

namespace Cluster.Operator.Kubernetes;

/// <summary>A bearer token in a file that somebody else renews, such as a pod's service account token.</summary>
/// <remarks>The library reads the file again every minute. A token that the server refuses before that is read again at once.</remarks>
internal sealed class TokenFileCredentialSource(string path, ClientCertificate? certificate) : ICredentialSource
{
    private volatile TokenFileAuth _file = new(path);

    public async ValueTask<Credential> GetAsync(CancellationToken cancellationToken)
    {
        string? token;
        try
        {
            // The library opens whatever is there, and a pipe would keep it waiting.
            RegularFile.CheckPath(path, FileKind.Secret);
            token = (await _file.GetAuthenticationHeaderAsync(cancellationToken)).Parameter;
        }
        catch (Exception error) when (error.GetBaseException() is FormatException)
        {
            token = null;
        }
        catch (Exception error) when (error.GetBaseException() is IOException or UnauthorizedAccessException)
        {
            throw new KubernetesException(0, "Credentials", $"cannot read token file '{path}': {error.GetBaseException().Message}", error);
        }

        return Credential.Bearer(token ?? "", $"token file '{path}'", certificate);
    }

    public bool Reject(Credential credential)
    {
        _file = new TokenFileAuth(path);
        return true;
    }
}
