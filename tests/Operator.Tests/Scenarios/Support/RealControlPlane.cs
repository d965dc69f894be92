using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cluster.Operator.Local.ApiServer;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>etcd and kube-apiserver as processes, with the flags that envtest documents: loopback, free ports, everything in one
/// temporary folder, a static administrator token, programs that end with the test host, no ServiceAccount admission (nothing
/// would make the default account).</summary>
internal sealed class RealControlPlane : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder;
    private readonly List<LifelineProcess> _processes = [];

    private RealControlPlane(DirectoryInfo folder) => _folder = folder;

    /// <summary>Where the programs are; null when they are not to be had.</summary>
    public static string? AssetsFolder { get; } = Find(Environment.GetEnvironmentVariable(ApiServerUnderTest.AssetsVariable));

    public ServerAccess Access { get; private set; } = null!;

    /// <exception cref="TimeoutException">A program was not healthy in time; the message ends with its last output.</exception>
    public static async Task<RealControlPlane> StartAsync(string assets)
    {
        var plane = new RealControlPlane(Directory.CreateTempSubdirectory("control-plane-"));
        try
        {
            await plane.StartProcessesAsync(assets);
            return plane;
        }
        catch
        {
            await plane.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // The API server first: etcd ends faster without a client.
        foreach (var process in Enumerable.Reverse(_processes))
        {
            await process.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private async Task StartProcessesAsync(string assets)
    {
        var etcd = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        Start(Path.Combine(assets, "etcd"),
        [
            $"--data-dir={In("etcd")}", $"--listen-client-urls={Root(etcd)}", $"--advertise-client-urls={Root(etcd)}",
            $"--listen-peer-urls=http://127.0.0.1:{FreePort.Next()}", "--unsafe-no-fsync=true",
        ]);
        using (var http = new HttpClient())
        {
            await HealthyAsync(http, new Uri(etcd, "/health"), "etcd");
        }

        var certificate = ServerCertificate.Create(TimeProvider.System.GetUtcNow());
        File.WriteAllText(In("apiserver.crt"), certificate.Server.ExportCertificatePem());
        File.WriteAllText(In("apiserver.key"), certificate.Server.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        using (var signer = RSA.Create(2048))
        {
            File.WriteAllText(In("service-account.key"), signer.ExportPkcs8PrivateKeyPem());
        }

        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        File.WriteAllText(In("tokens.csv"), $"{token},admin,admin,system:masters\n");
        var address = new Uri($"https://127.0.0.1:{FreePort.Next()}");
        Start(Path.Combine(assets, "kube-apiserver"),
        [
            $"--etcd-servers={Root(etcd)}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", $"--secure-port={address.Port}",
            $"--cert-dir={_folder.FullName}", $"--tls-cert-file={In("apiserver.crt")}", $"--tls-private-key-file={In("apiserver.key")}",
            $"--token-auth-file={In("tokens.csv")}", "--authorization-mode=RBAC", "--allow-privileged=true",
            "--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount",
            $"--service-account-key-file={In("service-account.key")}", $"--service-account-signing-key-file={In("service-account.key")}",
            "--service-account-issuer=https://127.0.0.1/",
        ]);
        Access = new ServerAccess(address, certificate.AuthorityPem, token);
        using var admin = Access.NewHttpClient();
        await HealthyAsync(admin, new Uri(address, "/readyz"), "kube-apiserver");
    }

    private void Start(string program, string[] arguments) =>
        _processes.Add(LifelineProcess.Start(program, arguments, In(Path.GetFileName(program) + ".log")));

    private async Task HealthyAsync(HttpClient http, Uri address, string program)
    {
        var healthy = await Eventually.IsTrueAsync(() => IsHealthyOrGoneAsync(http, address), StartLimit);
        if (!healthy || _processes.Exists(p => p.HasExited))
        {
            var log = string.Join('\n', File.ReadLines(In(program + ".log")).TakeLast(20));
            throw new TimeoutException($"{program} was not healthy at {address} within {StartLimit.TotalSeconds} s:\n{log}");
        }
    }

    /// <returns>False while it does not listen yet; true also when a program has ended, because nothing is to be waited for then.</returns>
    private async Task<bool> IsHealthyOrGoneAsync(HttpClient http, Uri address)
    {
        using var limit = new CancellationTokenSource(StartLimit);
        try
        {
            using var answer = await http.GetAsync(address, limit.Token);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException)
        {
            return _processes.Exists(p => p.HasExited);
        }
    }

    private string In(string name) => Path.Combine(_folder.FullName, name);

    private static string Root(Uri address) => address.GetLeftPart(UriPartial.Authority);

    private static string? Find(string? folder) =>
        folder is { Length: > 0 } && File.Exists(Path.Combine(folder, "kube-apiserver")) && File.Exists(Path.Combine(folder, "etcd"))
            ? folder
            : null;
}
