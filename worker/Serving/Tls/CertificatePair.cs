using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Cluster.Worker.Serving.Tls;

/// <summary>One state of the certificate files. Read by <see cref="ReloadingCertificate"/>.</summary>
/// <param name="Fingerprint">Tells two states apart; secret as the key is, since it covers the key.</param>
internal readonly record struct CertificatePair(string CertificatePem, string KeyPem, string Fingerprint)
{
    /// <exception cref="IOException">A file cannot be read or is far too large.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    public static CertificatePair Read(TlsFiles files)
    {
        var certificate = RegularFile.ReadText(files.CertificatePath, FileKind.Secret);
        var key = RegularFile.ReadText(files.KeyPath, FileKind.Secret);
        return new CertificatePair(certificate, key, Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{certificate}\0{key}"))));
    }

    /// <summary>What handshakes need, with the intermediates of the certificate file and nothing fetched from the network.</summary>
    /// <exception cref="CryptographicException">The files are not PEM, or the key is not the certificate's.</exception>
    public SslStreamCertificateContext Load()
    {
        X509Certificate2 leaf;
        try
        {
            leaf = X509Certificate2.CreateFromPem(CertificatePem, KeyPem);
        }
        catch (ArgumentException exception)
        {
            // How the platform says that a key is another certificate's.
            throw new CryptographicException(exception.Message, exception);
        }

        var chain = new X509Certificate2Collection();
        chain.ImportFromPem(CertificatePem);
        return SslStreamCertificateContext.Create(leaf, [.. chain.Skip(1)], offline: true);
    }
}
