using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Tests.Controller;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.NodeAgent;

public sealed class NumaBalancingKeeperTests : IDisposable
{
    private readonly FakeMachine _machine = new();
    private readonly FakeKubernetesClient _server = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public async Task The_value_found_is_on_the_node_before_the_switch_is_touched()
    {
        await StartAsync("1");
        string? whenWritten = null;
        _server.AfterWrite = (_, _, _) => whenWritten = _machine.NumaBalancing;
        await KeepAsync(true);
        Assert.Equal(("1", "0", "1"), (whenWritten, _machine.NumaBalancing, Found()));
    }

    [Fact]
    public async Task Without_a_record_the_switch_is_not_touched()
    {
        await StartAsync("1");
        _server.BeforeCall = FailPatches;
        await Assert.ThrowsAsync<KubernetesException>(() => KeepAsync(true));
        Assert.Equal("1", _machine.NumaBalancing);
    }

    [Fact]
    public async Task A_switch_that_cannot_be_set_is_reported()
    {
        await StartAsync("1");
        _machine.LockNumaBalancing();
        await Assert.ThrowsAsync<UnauthorizedAccessException>(() => KeepAsync(true));
    }

    /// <summary>Pods come and go, an administrator turns the switch, patches fail before or after they take effect, all in random
    /// order.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Whatever_happens_the_last_value_somebody_else_set_is_kept_and_comes_back(int seed)
    {
        Random random = new(seed);
        var theirs = "1";
        await StartAsync(theirs);
        for (var step = 0; step < 400; step++)
        {
            if (random.Next(8) == 0)
            {
                _machine.NumaBalancing = theirs = random.Next(2) == 0 ? "1" : "2";
            }

            var failure = random.Next(6);
            _server.BeforeCall = failure == 0 ? FailPatches : null;
            _server.AfterWrite = failure == 1 ? FailPatches : null;
            bool? wanted = random.Next(3) switch { 0 => true, 1 => false, _ => null };
            try
            {
                await KeepAsync(wanted);
                Assert.True(wanted != true || _machine.NumaBalancing == "0", "on although a pod wants it off");
                Assert.True(wanted != false || (_machine.NumaBalancing == theirs && Found() is null), "not restored");
            }
            catch (KubernetesException)
            {
            }

            // A crash after any step must lose nothing.
            Assert.True(
                _machine.NumaBalancing == theirs || (_machine.NumaBalancing == "0" && Found() == theirs),
                $"step {step}: switch {_machine.NumaBalancing}, theirs {theirs}, found {Found()}");
        }
    }

    private static void FailPatches(string verb, string kind, string name)
    {
        if (verb == "patch")
        {
            throw new KubernetesException(503, "ServiceUnavailable", "try again");
        }
    }

    private async Task StartAsync(string value)
    {
        _machine.NumaBalancing = value;
        await _server.CreateAsync<V1Node>(new JsonObject { ["metadata"] = new JsonObject { ["name"] = "n1" } }, CancellationToken.None);
    }

    /// <summary>One pass of an agent that has just started: it knows nothing but what is on the node.</summary>
    private async Task KeepAsync(bool? wanted)
    {
        var node = await NodeRecord.ReadAsync(_server, "n1", CancellationToken.None);
        await new NumaBalancingKeeper(new NumaBalancingSwitch(_machine.Proc), NullLogger.Instance)
            .KeepAsync(node, wanted, CancellationToken.None);
    }

    private string? Found() => _server.All<V1Node>()[0].GetAnnotation(NodeAnnotations.NumaBalancingFound);
}
