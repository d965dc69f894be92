namespace Cluster.Worker.Serving.Tls;

/// <summary>Where the server's certificate lies.</summary>
/// <param name="CertificatePath">PEM: the server's certificate, then the intermediates that lead to its root.</param>
/// <param name="KeyPath">PEM: the certificate's private key, not encrypted.</param>
internal sealed record TlsFiles(string CertificatePath, string KeyPath);
