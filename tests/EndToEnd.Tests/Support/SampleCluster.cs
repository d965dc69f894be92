namespace Cluster.EndToEnd.Tests.Support;

/// <summary>One local cluster with the sample deployment, shared by the tests of <see cref="SampleClusterCollection"/>. They leave it as
/// they found it.</summary>
public sealed class SampleCluster : IAsyncLifetime
{
    private readonly PluginFolder _plugin = new();
    private LocalOperator? _local;

    internal LocalOperator Local => _local!;

    public async ValueTask InitializeAsync() =>
        _local = await LocalOperator.StartAsync(untilReady: true, "-f", LocalOperator.SampleManifest);

    public async ValueTask DisposeAsync()
    {
        if (_local is not null)
        {
            await _local.DisposeAsync();
        }

        _plugin.Dispose();
    }

    /// <summary>Runs kubectl against this cluster.</summary>
    internal async Task<CommandResult> KubectlAsync(string? input, params string[] arguments) =>
        await CommandLine.RunAsync(await NodePackages.KubectlAsync(), arguments, Environment(), input);

    /// <summary>This cluster for kubectl, with our plugin on the PATH.</summary>
    internal Dictionary<string, string> Environment() => new()
    {
        ["KUBECONFIG"] = Local.Kubeconfig,
        ["HOME"] = Path.GetDirectoryName(Local.Kubeconfig)!,
        ["PATH"] = _plugin.BeforePath,
    };

    /// <summary>What has happened in it, for the message of an assertion: what local mode has printed, pods and events.</summary>
    internal async Task<string> DescribeAsync() =>
        $"{Local.Output}\n{(await KubectlAsync(null, "get", "pods,events", "-A", "-o", "wide")).All}";

    internal async Task<string> KubectlOutputAsync(params string[] arguments)
    {
        var result = await KubectlAsync(null, arguments);
        Assert.True(result.ExitCode == 0, $"kubectl {string.Join(' ', arguments)}:\n{result.All}");
        return result.Output;
    }
}

[CollectionDefinition(Name)]
public sealed class SampleClusterCollection : ICollectionFixture<SampleCluster>
{
    public const string Name = "sample cluster";
}
