namespace Cluster.Operator.Kubernetes;

/// <summary>A bearer token in a file that somebody else renews, such as a pod's service account token.</summary>
/// <remarks>Read again when older than ten seconds rather than when its timestamp changes: the kubelet swaps a symbolic link, which leaves
/// the visible file's own timestamp alone.</remarks>
internal sealed class TokenFileCredentialSource(string path, ClientCertificate? certificate, TimeProvider time) : ICredentialSource
{
    private static readonly TimeSpan s_freshFor = TimeSpan.FromSeconds(10);
    private const int MaxTokenBytes = 64 << 10;

    private readonly Lock _lock = new();
    private Credential? _current;
    private string _token = "";
    private long _readAt;

    public ValueTask<Credential> GetAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_current is null || time.GetElapsedTime(_readAt) >= s_freshFor)
            {
                string token = ReadToken();
                _current = _current is not null && token == _token ? _current : Credential.Bearer(token, $"token file '{path}'", certificate);
                _token = token;
                _readAt = time.GetTimestamp();
            }

            return new(_current);
        }
    }

    public bool Reject(Credential credential)
    {
        lock (_lock)
        {
            if (!ReferenceEquals(credential, _current))
            {
                return true;
            }

            string rejected = _token;
            _current = null;
            return ReadToken() != rejected;
        }
    }

    private string ReadToken()
    {
        try
        {
            FileInfo file = new(path);
            return (file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file).Length <= MaxTokenBytes
                ? File.ReadAllText(path).Trim()
                : throw new KubernetesException(0, "Credentials", $"token file '{path}' is larger than {MaxTokenBytes} bytes; expected one bearer token");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new KubernetesException(0, "Credentials", $"cannot read token file '{path}': {error.Message}", error);
        }
    }
}
