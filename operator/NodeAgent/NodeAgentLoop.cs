using System.Threading.Channels;
using Cluster.Common.Metrics;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent.Plugin;
using k8s.Models;

namespace Cluster.Operator.NodeAgent;

/// <summary>The agent of one GPU node. Called by the <c>node-agent</c> command; reads the machine through <see cref="KfdTopology"/> and
/// <see cref="NumaBalancingSwitch"/>, and tells the <see cref="KubeletPlugin"/> what it found.</summary>
/// <remarks>
/// A pass, at least once every interval and whenever a pod that wants the node tuned comes or goes:
/// <code>
/// 1. read the Node
/// 2. kernel.numa_balancing → as this node's pods ask; what was found is remembered on the Node first
/// 3. GPUs from KFD → the device plugin, where there is one
/// 4. GPUs, the switch's value, how the plugin is doing → the Node's annotations and labels, only what differs
/// </code>
/// Once no pod asks any more, the switch is restored after one interval: a rollout takes a pod away and puts its successor in its place.
/// Being told to stop (an upgrade of the agent, a drained node) restores only if no pod asks: workers go on without their agent, and the
/// next agent finds the value on the Node.
/// </remarks>
internal sealed class NodeAgentLoop
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FarewellLimit = TimeSpan.FromSeconds(5);

    private readonly IKubernetesClient _client;
    private readonly NodeAgentOptions _options;
    private readonly ILogger _logger;
    private readonly Informer<V1Pod> _pods;
    private readonly NumaBalancingKeeper _keeper;
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly KubeletPlugin? _plugin;
    private readonly GaugeSeries _gpuCount;
    private readonly GaugeSeries _problemCount;
    private long _lastAsked;

    public NodeAgentLoop(IKubernetesClient client, NodeAgentOptions options)
    {
        _client = client;
        _options = options;
        _logger = options.Logging.CreateLogger("node-agent");
        _keeper = new NumaBalancingKeeper(new NumaBalancingSwitch(options.ProcRoot), _logger);
        Health = new NodeAgentHealth(options.Time, options.Interval);
        Selection askingPods = new($"{NodeAnnotations.NumaBalancingRequest}={NumaBalancing.Disabled}", $"spec.nodeName={options.NodeName}");
        _pods = new Informer<V1Pod>(client, null, askingPods, options.Time, options.Random, _logger);
        _pods.OnChange(change =>
        {
            if (change.Type != ChangeType.Updated)
            {
                Wake();
            }
        });
        if (options.Plugin is not null)
        {
            _plugin = new KubeletPlugin(options.Plugin) { Changed = Wake };
        }

        _gpuCount = options.Metrics.Gauge("node_agent_gpus", "GPUs or partitions found on this node.").With();
        _problemCount = options.Metrics.Gauge("node_agent_problems", "What keeps the agent from doing all of its work.").With();
    }

    public NodeAgentHealth Health { get; }

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // An agent that has just started does not know since when nobody asks.
        _lastAsked = _options.Time.GetTimestamp();
        var following = Task.WhenAll(_pods.RunAsync(cancellationToken), _plugin?.RunAsync(cancellationToken) ?? Task.CompletedTask);
        _ = _pods.WhenSynced.ContinueWith(_ => Wake(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        var retry = FirstRetry;
        while (!cancellationToken.IsCancellationRequested)
        {
            var pause = _options.Interval;
            try
            {
                Report(await PassAsync(Asked(), cancellationToken));
                retry = FirstRetry;
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                Report([e.Message]);

                // Spread, so that the agents of a thousand nodes do not come back to a restarted API server all at once.
                pause = retry * (1 + _options.Random.NextDouble());
                retry = retry * 2 < _options.Interval ? retry * 2 : _options.Interval;
            }

            await RestAsync(pause, cancellationToken);
        }

        await FarewellAsync();
        await following;
    }

    /// <returns>Whether a pod of this node asks for the switch to be off; null while that is not known, or nobody has asked for less than
    /// an interval.</returns>
    private bool? Asked()
    {
        if (!_pods.HasSynced)
        {
            return null;
        }

        if (AnyPodAsks())
        {
            _lastAsked = _options.Time.GetTimestamp();
            return true;
        }

        return _options.Time.GetElapsedTime(_lastAsked) >= _options.Interval ? false : null;
    }

    private bool AnyPodAsks() => _pods.Store.List().Any(p => p.Status?.Phase is not ("Succeeded" or "Failed"));

    /// <returns>What could not be done on this machine.</returns>
    /// <exception cref="KubernetesException">The API server could not be reached or refused.</exception>
    private async Task<List<string>> PassAsync(bool? asked, CancellationToken cancellationToken)
    {
        List<string> problems = [];
        var node = await NodeRecord.ReadAsync(_client, _options.NodeName, cancellationToken);
        Dictionary<string, string?> annotations = new(StringComparer.Ordinal);
        Dictionary<string, string?> labels = new(StringComparer.Ordinal);
        try
        {
            await _keeper.KeepAsync(node, asked, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add($"kernel.numa_balancing: {e.Message}");
        }

        try
        {
            annotations[NodeAnnotations.NumaBalancing] = _keeper.State();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever cannot read the switch says nothing of it, rather than what was true once.
            annotations[NodeAnnotations.NumaBalancing] = null;
            problems.Add($"kernel.numa_balancing: {e.Message}");
        }

        var inventory = KfdTopology.Inspect(_options.SysRoot, _options.DevRoot);
        _gpuCount.Set(inventory.Gpus.Count);
        if (inventory.Problems.Count == 0)
        {
            annotations[ApiNames.NodeGpusAnnotation] = GpuReport.Annotation(inventory.Gpus);
            labels = GpuReport.Labels(inventory.Gpus);
        }
        else
        {
            // Publishing the rest would number GPUs differently from the workers, and pin two of them to one GPU.
            problems.Add($"GPUs are not published, because not all can be opened: {string.Join("; ", inventory.Problems.Take(3))}");
        }

        problems.AddRange(_plugin?.Offer(inventory) ?? []);
        annotations[NodeAnnotations.DevicePlugin] = _plugin?.Status;
        if (_plugin?.Problem is { } problem)
        {
            problems.Add(problem);
        }

        await node.WriteAsync(annotations, labels, cancellationToken);
        return problems;
    }

    private void Report(List<string> problems)
    {
        foreach (var problem in problems.Except(Health.Problems, StringComparer.Ordinal))
        {
            _logger.LogWarning("Node {Node}: {Problem}", _options.NodeName, problem);
        }

        _problemCount.Set(problems.Count);
        Health.Report(problems);
    }

    private async Task FarewellAsync()
    {
        if (!_pods.HasSynced || AnyPodAsks())
        {
            return;
        }

        using CancellationTokenSource limit = new(FarewellLimit, _options.Time);
        try
        {
            await PassAsync(asked: false, limit.Token);
        }
        catch (Exception e) when (e is KubernetesException or OperationCanceledException or HttpRequestException)
        {
            _logger.LogWarning("Stopping without a last look at node {Node}: {Message}", _options.NodeName, e.Message);
        }
    }

    private async Task RestAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        using var rested = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(Task.Delay(pause, _options.Time, rested.Token), _wake.Reader.WaitToReadAsync(rested.Token).AsTask());
        await rested.CancelAsync();
        _wake.Reader.TryRead(out _);
    }

    private void Wake() => _wake.Writer.TryWrite(true);
}
