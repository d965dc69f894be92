using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Serving;

/// <summary>The image's health check, as its Dockerfile has it, on workers that listen elsewhere than by default.</summary>
public sealed class HealthCheckTests : IDisposable
{
    private const string Instruction = "HEALTHCHECK";
    private const string Variable = "CLUSTER_ADDRESS_FILE";

    private readonly TemporaryFolder _folder = new();

    private string AddressFile => Path.Combine(_folder.Path, "address");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_check_follows_port_and_protocol(bool tls)
    {
        Assert.SkipWhen(CommandLine.Find("curl") is null, "curl is not installed");
        string[] options = tls ? ["--ssl-certfile", Certificate(), "--ssl-keyfile", Path.Combine(_folder.Path, "key.pem")] : [];
        using var worker = Process.Start(new ProcessStartInfo(
            WorkerProcess.Program,
            ["serve", WorkerProcess.SampleModel, "--host", "0.0.0.0", "--port", "0", "--grpc-port", "0", .. options])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["CLUSTER_LIFELINE"] = "stdin", [Variable] = AddressFile },
        })!;
        try
        {
            await Eventually.True(() => File.Exists(AddressFile) && new FileInfo(AddressFile).Length > 0, "the worker listens");
            Assert.StartsWith(tls ? "https://127.0.0.1:" : "http://127.0.0.1:", File.ReadAllText(AddressFile), StringComparison.Ordinal);
            Assert.Equal(0, (await CheckAsync()).ExitCode);
        }
        finally
        {
            worker.Kill();
            await worker.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        Assert.NotEqual(0, (await CheckAsync()).ExitCode);
    }

    private Task<CommandResult> CheckAsync()
    {
        var line = RepositoryFiles.Read("Dockerfile.rocm").Split('\n')
            .Single(text => text.StartsWith(Instruction, StringComparison.Ordinal));
        return CommandLine.RunAsync(
            "sh", ["-c", line[(line.IndexOf("CMD ", StringComparison.Ordinal) + 4)..]],
            new Dictionary<string, string> { [Variable] = AddressFile });
    }

    private string Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=worker", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        _folder.Write("key.pem", key.ExportPkcs8PrivateKeyPem());
        return _folder.Write("cert.pem", certificate.ExportCertificatePem());
    }
}
