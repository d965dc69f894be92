using Cluster.EndToEnd.Tests.Support;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Local.ApiServer.Routing;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>An API server without nodes and controllers, and the real kubectl and helm against it.</summary>
public sealed class BareCluster : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cluster-bare-");
    private LocalApiServer? _server;

    internal string Kubeconfig => Path.Combine(_folder.FullName, "kubeconfig");

    /// <summary>Told of every request; set before the start.</summary>
    internal Action<AuditedRequest>? Audit { get; init; }

    internal IPodLogSource? PodLogs { get; init; }

    public async ValueTask InitializeAsync()
    {
        _server = await LocalApiServer.StartAsync(new LocalApiServerOptions { Audit = Audit, PodLogs = PodLogs }, CancellationToken.None);
        _server.WriteKubeconfig(Kubeconfig);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    internal KubernetesClient NewClient() => KubernetesClient.Create(ClientConfiguration.Load(Kubeconfig));

    internal async Task<string> HelmAsync(params string[] arguments) =>
        Checked("helm", arguments, await Chart.HelmAsync(arguments, Kubeconfig));

    internal async Task<CommandResult> TryKubectlAsync(string? input, params string[] arguments)
    {
        var environment = new Dictionary<string, string> { ["KUBECONFIG"] = Kubeconfig, ["HOME"] = _folder.FullName };
        return await CommandLine.RunAsync(await NodePackages.KubectlAsync(), arguments, environment, input);
    }

    internal Task<string> KubectlAsync(params string[] arguments) => KubectlWithInputAsync(null, arguments);

    internal async Task<string> KubectlWithInputAsync(string? input, params string[] arguments) =>
        Checked("kubectl", arguments, await TryKubectlAsync(input, arguments));

    private static string Checked(string program, string[] arguments, CommandResult result)
    {
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)} exited {result.ExitCode}:\n{result.All}");
        return result.Output;
    }
}
