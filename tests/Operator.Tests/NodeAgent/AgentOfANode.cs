using System.Collections.ObjectModel;
using System.Text.Json.Nodes;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Tests.Controller;
using k8s.Models;

namespace Cluster.Operator.Tests.NodeAgent;

/// <summary>A running <see cref="NodeAgentLoop"/> on a machine of files, against an API server in memory, with a clock that tests
/// move.</summary>
internal sealed class AgentOfANode : IAsyncDisposable
{
    public const string NodeName = "n1";
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(60);

    private CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    public FakeMachine Machine { get; } = new();

    public FakeKubernetesClient Server { get; } = new();

    public ManualTime Time { get; } = new();

    public NodeAgentLoop Agent { get; private set; } = null!;

    public IReadOnlyDictionary<string, string> Annotations =>
        Server.All<V1Node>()[0].Metadata.Annotations?.AsReadOnly() ?? ReadOnlyDictionary<string, string>.Empty;

    public IReadOnlyDictionary<string, string> Labels =>
        Server.All<V1Node>()[0].Metadata.Labels?.AsReadOnly() ?? ReadOnlyDictionary<string, string>.Empty;

    public string? Published => Annotations.GetValueOrDefault(NodeAnnotations.NumaBalancing);

    public string? Found => Annotations.GetValueOrDefault(NodeAnnotations.NumaBalancingFound);

    /// <summary>Begun so far: each begins with a look at the Node.</summary>
    private int Passes => Server.Calls.Count(c => c.StartsWith("get Node", StringComparison.Ordinal));

    public int Patches => Server.Calls.Count(c => c.StartsWith("patch Node", StringComparison.Ordinal));

    /// <summary>Begins, with a fresh loop that remembers nothing, and waits until it knows this node's pods.</summary>
    public async Task StartAsync()
    {
        if (Server.All<V1Node>().Count == 0)
        {
            await Server.CreateAsync<V1Node>(
                new JsonObject { ["metadata"] = new JsonObject { ["name"] = NodeName } }, CancellationToken.None);
        }

        var before = Passes;
        _stop = new CancellationTokenSource();
        Agent = new NodeAgentLoop(Server, new NodeAgentOptions
        {
            NodeName = NodeName,
            SysRoot = Machine.Sys,
            DevRoot = Machine.Dev,
            ProcRoot = Machine.Proc,
            Interval = Interval,
            Time = Time,
            Random = new Random(7),
        });
        _running = Task.Run(() => Agent.RunAsync(_stop.Token));

        // One pass at once, and one when the pods are known.
        await RestsAfterAsync(before + 2);
    }

    /// <summary>SIGTERM.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(TimeSpan.FromSeconds(60));
        Server.CutWatches();
    }

    /// <summary>One interval passes, and the pass that follows.</summary>
    public async Task NextPassAsync()
    {
        var before = Passes;
        Time.Advance(Interval);
        await RestsAfterAsync(before + 1);
    }

    /// <summary>A pod that asks for the switch to be off, and the pass that follows. The server in memory knows no selectors: every pod is
    /// one of this node that asks.</summary>
    public async Task AddPodAsync(string name)
    {
        var before = Passes;
        await Server.CreateAsync<V1Pod>(
            new JsonObject { ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "ns" } }, CancellationToken.None);
        await RestsAfterAsync(before + 1);
    }

    /// <summary>The pod is gone, and the agent has noticed.</summary>
    public async Task RemovePodAsync(string name)
    {
        var before = Passes;
        Server.Remove<V1Pod>("ns", name);
        await RestsAfterAsync(before + 1);
    }

    /// <summary>Intervals pass until it is so: for what has to reach the agent's cache first.</summary>
    public async Task PassUntilAsync(Func<bool> condition)
    {
        for (var passes = 0; !condition() && passes < 1000; passes++)
        {
            await NextPassAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
        Machine.Dispose();
    }

    private Task RestsAfterAsync(int passes) =>
        Eventually.True(() => Passes >= passes && Server.Watchers == 1 && Time.PendingTimers == 1, $"the agent rests after pass {passes}");
}
