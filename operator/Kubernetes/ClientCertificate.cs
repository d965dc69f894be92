using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Cluster.Operator.Kubernetes;

/// <summary>A client certificate with its private key and the intermediates that go with it, read from PEM.</summary>
internal sealed class ClientCertificate
{
    private ClientCertificate(X509Certificate2 leaf, X509Certificate2Collection intermediates)
        => Context = SslStreamCertificateContext.Create(leaf, intermediates, offline: true);

    /// <summary>What TLS presents: leaf and intermediates.</summary>
    public SslStreamCertificateContext Context { get; }

    /// <param name="what">Where the PEM came from, for the error.</param>
    /// <exception cref="KubernetesException">Not PEM, not RSA or EC, or the key is another certificate's.</exception>
    public static ClientCertificate FromPem(string certificatePem, string keyPem, string what)
    {
        try
        {
            var leaf = X509Certificate2.CreateFromPem(certificatePem, keyPem);
            if (OperatingSystem.IsWindows())
            {
                // Schannel cannot use a key that exists in memory only.
                leaf = X509CertificateLoader.LoadPkcs12(leaf.Export(X509ContentType.Pkcs12), password: null);
            }

            X509Certificate2Collection chain = [];
            chain.ImportFromPem(certificatePem);
            chain.RemoveAt(0);
            return new ClientCertificate(leaf, chain);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw new KubernetesException(
                0, "Credentials", $"{what}: no usable PEM certificate with an unencrypted RSA or EC key: {error.Message}", error);
        }
    }

    /// <summary>Reads the certificates that a server's chain may end in.</summary>
    /// <exception cref="KubernetesException">Not PEM, or no certificate in it.</exception>
    public static X509Certificate2Collection ReadAuthorities(string pem, string what)
    {
        X509Certificate2Collection authorities = [];
        try
        {
            authorities.ImportFromPem(pem);
        }
        catch (CryptographicException error)
        {
            throw new KubernetesException(0, "Configuration", $"{what}: not PEM certificates: {error.Message}", error);
        }

        return authorities.Count > 0 ? authorities : throw new KubernetesException(0, "Configuration", $"{what}: holds no PEM certificate");
    }

    /// <summary>The PEM text inside a <c>…-data</c> field.</summary>
    public static string DecodePem(string base64, string what)
    {
        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(base64));
        }
        catch (FormatException error)
        {
            throw new KubernetesException(0, "Configuration", $"{what}: not base64", error);
        }
    }
}
