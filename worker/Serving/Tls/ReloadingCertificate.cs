using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Cluster.Worker.Serving.Tls;

/// <summary>The server's certificate, followed on disk: new connections get the new one, running ones are left alone. Asked by Kestrel at
/// each handshake.</summary>
/// <remarks>Polled, because file events miss the swap of a symbolic link further up, which is how Kubernetes and cert-manager renew
/// secrets. A pair that cannot be used (half written, key of another certificate) is told once and changes nothing.</remarks>
internal sealed partial class ReloadingCertificate : IDisposable
{
    public static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(10);

    private readonly TlsFiles _files;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private volatile SslStreamCertificateContext _current;
    private string _seen;
    private string? _failure;

    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="FormatException">The pair cannot be used; the message names the files.</exception>
    public ReloadingCertificate(TlsFiles files, TimeProvider time, ILogger logger)
    {
        _files = files;
        _logger = logger;
        var pair = CertificatePair.Read(files);
        _seen = pair.Fingerprint;
        try
        {
            _current = pair.Load();
        }
        catch (CryptographicException exception)
        {
            throw new FormatException(
                $"{files.CertificatePath} and {files.KeyPath} are no certificate with its key in PEM: {exception.Message}", exception);
        }

        LogLoaded(files.CertificatePath, _current.TargetCertificate.Subject, NotAfter(_current.TargetCertificate));
        _timer = time.CreateTimer(_ => Poll(), null, PollInterval, Timeout.InfiniteTimeSpan);
    }

    /// <summary>What the next handshake should show.</summary>
    public SslStreamCertificateContext Current => _current;

    public void Dispose() => _timer.Dispose();

    private void Poll()
    {
        try
        {
            var pair = CertificatePair.Read(_files);
            if (pair.Fingerprint != _seen)
            {
                // Remembered before it is tried: a broken pair is told once, not at each poll.
                _seen = pair.Fingerprint;
                _current = pair.Load();
                LogLoaded(_files.CertificatePath, _current.TargetCertificate.Subject, NotAfter(_current.TargetCertificate));
            }

            _failure = null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            if (_failure != exception.Message)
            {
                _failure = exception.Message;
                LogKept(_files.CertificatePath, _files.KeyPath, NotAfter(_current.TargetCertificate), exception);
            }
        }
        finally
        {
            _timer.Change(PollInterval, Timeout.InfiniteTimeSpan);
        }
    }

    private static string NotAfter(X509Certificate2 certificate) =>
        certificate.NotAfter.ToUniversalTime().ToString("u", CultureInfo.InvariantCulture);

    [LoggerMessage(Level = LogLevel.Information, Message = "TLS certificate {Path}: {Subject}, valid until {NotAfter}")]
    private partial void LogLoaded(string path, string subject, string notAfter);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "cannot use the new TLS pair {CertificatePath}, {KeyPath}; the old certificate stays, valid until {NotAfter}")]
    private partial void LogKept(string certificatePath, string keyPath, string notAfter, Exception exception);
}
