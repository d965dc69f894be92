using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cluster.Worker.Serving.Tls;

namespace Cluster.Worker.Tests.Serving.Tls;

/// <summary>A folder like a mounted secret: <c>tls.crt</c> and <c>tls.key</c> are links through <c>..data</c>, which is swapped at each
/// renewal.</summary>
internal sealed class CertificateFolder : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("tls-").FullName;
    private int _version;

    public CertificateFolder(string name)
    {
        Renew(name);
        foreach (var file in (string[])["tls.crt", "tls.key"])
        {
            File.CreateSymbolicLink(Path.Combine(_root, file), Path.Combine("..data", file));
        }
    }

    public TlsFiles Files => new(Path.Combine(_root, "tls.crt"), Path.Combine(_root, "tls.key"));

    /// <summary>Swaps in a certificate for this common name.</summary>
    /// <param name="ownKey">False writes another certificate's key beside it.</param>
    public void Renew(string name, bool ownKey = true)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        Swap(certificate.ExportCertificatePem(), (ownKey ? key : other).ExportPkcs8PrivateKeyPem());
    }

    public void Swap(string certificate, string key)
    {
        var folder = $"..{++_version}";
        Directory.CreateDirectory(Path.Combine(_root, folder));
        File.WriteAllText(Path.Combine(_root, folder, "tls.crt"), certificate);
        File.WriteAllText(Path.Combine(_root, folder, "tls.key"), key);
        var link = Path.Combine(_root, "..data");
        if (_version > 1)
        {
            Directory.Delete(link);
        }

        Directory.CreateSymbolicLink(link, folder);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
