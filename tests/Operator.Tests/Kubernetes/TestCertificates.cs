using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Cluster.Operator.Tests.Kubernetes;

/// <summary>A certificate authority made for this test run, and what it has signed.</summary>
internal static class TestCertificates
{
    private static readonly DateTimeOffset From = DateTimeOffset.UtcNow.AddDays(-1);
    private static readonly DateTimeOffset To = DateTimeOffset.UtcNow.AddDays(30);
    private static readonly X509Certificate2 Authority = NewAuthority("CN=test-authority");

    public static string AuthorityPem { get; } = Authority.ExportCertificatePem();

    /// <summary>An authority that signed nothing.</summary>
    public static string StrangerPem { get; } = NewAuthority("CN=stranger").ExportCertificatePem();

    /// <summary>Good for 127.0.0.1 and localhost.</summary>
    public static X509Certificate2 LoopbackServer { get; } = Sign(ServerRequest(names =>
    {
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("localhost");
    }));

    /// <summary>Good for kubernetes.default only.</summary>
    public static X509Certificate2 NamedServer { get; } = Sign(ServerRequest(names => names.AddDnsName("kubernetes.default")));

    public static (string Certificate, string Key) RsaClient { get; } = Client(RSA.Create(2048), "CN=rsa-user, O=system:masters");

    public static (string Certificate, string Key) EcClient { get; } = Client(ECDsa.Create(ECCurve.NamedCurves.nistP256), "CN=ec-user");

    private static X509Certificate2 NewAuthority(string name)
    {
        CertificateRequest request = new(name, ECDsa.Create(ECCurve.NamedCurves.nistP256), HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        return request.CreateSelfSigned(From, To);
    }

    private static (CertificateRequest Request, AsymmetricAlgorithm Key) ServerRequest(Action<SubjectAlternativeNameBuilder> name)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=server", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        name(names);
        request.CertificateExtensions.Add(names.Build());
        return (request, key);
    }

    private static (string Certificate, string Key) Client(AsymmetricAlgorithm key, string name)
    {
        var request = key is RSA rsa
            ? new CertificateRequest(name, rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest(name, (ECDsa)key, HashAlgorithmName.SHA256);
        var signed = Sign((request, key));
        var keyPem = key is RSA rsaKey ? rsaKey.ExportRSAPrivateKeyPem() : ((ECDsa)key).ExportECPrivateKeyPem();
        return (signed.ExportCertificatePem(), keyPem);
    }

    private static X509Certificate2 Sign((CertificateRequest Request, AsymmetricAlgorithm Key) subject)
    {
        var generator = X509SignatureGenerator.CreateForECDsa(Authority.GetECDsaPrivateKey()!);
        var certificate = subject.Request.Create(Authority.SubjectName, generator, From, To, RandomNumberGenerator.GetBytes(8));
        return subject.Key is RSA rsa ? certificate.CopyWithPrivateKey(rsa) : certificate.CopyWithPrivateKey((ECDsa)subject.Key);
    }
}
