using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Autoscaling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling.Autoscaling;

/// <summary>What autoscaling makes of pods and of the status, step by step.</summary>
public sealed class AutoscaledDeploymentTests
{
    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task A_request_wakes_a_model_and_the_last_one_lets_it_sleep_again()
    {
        await Deploy(least: 0);
        Assert.Empty(_cluster.Replicas());
        Assert.Equal(("True", "ScaledToZero"), Condition());

        await Look(Demand.None with { Queued = 1, SecondsSinceLastRequest = 0 });
        await _cluster.Finish();
        Assert.Single(_cluster.Replicas());
        Assert.Equal(("True", "AsDemanded"), Condition());
        Assert.Equal("raised from 0 to 1: a request waits", _cluster.Condition("Autoscaling").Message);
        Assert.Equal((1, 1), (_cluster.Deployment().Status!.DesiredReplicas, _cluster.Deployment().Status!.ReadyReplicas));

        await Look(Demand.None with { SecondsSinceLastRequest = 0 });
        _cluster.Time.Advance(TimeSpan.FromMinutes(5));
        await Look(Demand.None with { SecondsSinceLastRequest = 300 });
        await _cluster.Finish();
        Assert.Empty(_cluster.Replicas());
        Assert.Equal("ScaledToZero", Condition().Reason);
        Assert.Equal(2, _cluster.Events().Count(reason => reason == "Rescaled"));
    }

    [Fact]
    public async Task The_spec_stays_as_it_was_applied()
    {
        await Deploy(least: 0);
        await Look(Demand.None with { Queued = 9, OutstandingTokens = 9000 });
        await _cluster.Finish();
        Assert.Equal(4, _cluster.Replicas().Count);
        Assert.Equal(1, _cluster.Deployment().Spec.Replicas);
        Assert.DoesNotContain(
            _cluster.Server.Calls, call => call is "patch/scale ModelDeployment haiku" or "replace ModelDeployment haiku");
    }

    [Fact]
    public async Task Another_operator_keeps_the_number_while_demand_is_not_known()
    {
        await Deploy(least: 0);
        await Look(Demand.None with { OutstandingTokens = 3000, Running = 3 });
        await _cluster.Finish();
        _cluster.Restart();
        await Look(Demand.Unknown("gateway a does not answer"));
        await _cluster.Finish();
        Assert.Equal(3, _cluster.Replicas().Count);
        Assert.Equal(("False", "DemandUnknown"), Condition());
        Assert.Equal(
            "gateway a does not answer; no replica is taken away until it does: raised from 0 to 3: there is a request",
            _cluster.Condition("Autoscaling").Message);

        _cluster.Restart();
        await _cluster.Finish();
        Assert.Equal(3, _cluster.Replicas().Count);
    }

    [Fact]
    public async Task The_number_is_on_the_server_before_the_first_pod()
    {
        await Deploy(least: 0);
        _cluster.Server.BeforeCall = (verb, kind, _) =>
        {
            if ((verb, kind) is ("create", "Pod"))
            {
                Assert.Equal(2, _cluster.Deployment().Status!.Autoscaling!.DesiredReplicas);
            }
        };
        await Look(Demand.None with { OutstandingTokens = 2000 });
        await _cluster.Finish();
        Assert.Equal(2, _cluster.Replicas().Count);
    }

    [Fact]
    public async Task A_fixed_number_of_replicas_is_what_autoscaling_begins_with()
    {
        _cluster.Add(Given.Node("n1"));
        _cluster.Add(Given.Deployment(change: s => s.Replicas = 3));
        await _cluster.Finish();
        _cluster.ChangeSpec("haiku", s =>
        {
            s["replicas"] = 1;
            s["autoscaling"] = JsonNode.Parse("""{"minReplicas": 0, "maxReplicas": 4, "targetOutstandingTokens": 1000}""");
        });
        await _cluster.Finish();
        Assert.Equal(3, _cluster.Replicas().Count);

        _cluster.ChangeSpec("haiku", s => s.Remove("autoscaling"));
        await _cluster.Finish();
        Assert.Single(_cluster.Replicas());
        Assert.Null(_cluster.Deployment().Status!.Autoscaling);
        Assert.DoesNotContain(_cluster.Deployment().Status!.Conditions!, c => c.Type == "Autoscaling");
    }

    [Fact]
    public async Task A_model_that_somebody_uses_beside_the_gateway_is_not_taken_away()
    {
        await Deploy(least: 0);
        await Look(Demand.None with { Queued = 1 });
        await _cluster.Finish();
        var pod = Assert.Single(_cluster.Replicas()).Name;
        _cluster.Server.Update<V1Pod>("ns", pod, p => p["status"]!["podIP"] = "10.0.0.1");
        _cluster.LoadByAddress["10.0.0.1"] = 1;
        _cluster.Deliver();

        await Look(Demand.None);
        _cluster.Time.Advance(TimeSpan.FromMinutes(6));
        await Look(Demand.None);
        await _cluster.Finish();
        Assert.Single(_cluster.Replicas());
    }

    [Fact]
    public async Task A_HorizontalPodAutoscaler_beside_it_is_told_of()
    {
        await _cluster.Server.CreateAsync<V2HorizontalPodAutoscaler>(
            JsonNode.Parse(
                """
                {"metadata": {"name": "haiku-hpa", "namespace": "ns"}, "spec": {"maxReplicas": 4,
                 "scaleTargetRef": {"apiVersion": "serving.cluster.sh/v1alpha1", "kind": "ModelDeployment", "name": "haiku"}}}
                """)!.AsObject(),
            CancellationToken.None);
        await Deploy(least: 1);
        Assert.Equal(("False", "HorizontalPodAutoscaler"), Condition());
        Assert.StartsWith(
            "HorizontalPodAutoscaler 'haiku-hpa' targets this deployment too", _cluster.Condition("Autoscaling").Message,
            StringComparison.Ordinal);
        Assert.Contains("HorizontalPodAutoscaler", _cluster.Events());
    }

    [Fact]
    public async Task Replicas_given_beside_it_are_refused_and_what_serves_goes_on()
    {
        await Deploy(least: 2);
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 4);
        await _cluster.Finish();
        Assert.Equal(2, _cluster.Replicas().Count);
        Assert.Equal("InvalidSpec", _cluster.Condition("Degraded").Reason);
        Assert.Equal(2, _cluster.Deployment().Status!.DesiredReplicas);
        Assert.Contains("4 would be ignored", _cluster.Condition("Degraded").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Demand_that_stays_as_it_is_writes_nothing()
    {
        await Deploy(least: 1);
        await Look(Demand.None with { OutstandingTokens = 1000 });
        await _cluster.Settle();
        _cluster.Woken.Clear();
        var before = _cluster.Server.Version;
        for (var i = 0; i < 100; i++)
        {
            _cluster.Time.Advance(TimeSpan.FromSeconds(1));
            await Look(Demand.None with { OutstandingTokens = 1000 + (i % 2) });
        }

        Assert.Empty(_cluster.Woken);
        Assert.Equal(before, _cluster.Server.Version);
    }

    [Fact]
    public async Task A_long_lull_is_in_the_status_and_a_short_one_is_not()
    {
        await Deploy(least: 1);
        await Look(Demand.None with { OutstandingTokens = 2000 });
        await _cluster.Finish();
        await Look(Demand.None with { OutstandingTokens = 500 });
        await _cluster.Settle();
        Assert.Null(_cluster.Deployment().Status!.Autoscaling!.LowSince);

        var since = _cluster.Time.GetUtcNow();
        _cluster.Time.Advance(TimeSpan.FromSeconds(20));
        await Look(Demand.None with { OutstandingTokens = 500 });
        await _cluster.Settle();
        Assert.Equal((since, 1), (
            _cluster.Deployment().Status!.Autoscaling!.LowSince, _cluster.Deployment().Status!.Autoscaling!.LowPeak));
    }

    private async Task Deploy(int least)
    {
        _cluster.Add(Given.Node("n1"));
        _cluster.Add(Given.Deployment(change: s => s.Autoscaling = new AutoscalingSpec
        {
            MinReplicas = least,
            MaxReplicas = 4,
            TargetOutstandingTokens = 1000
        }));
        await _cluster.Finish();
    }

    private async Task Look(Demand demand)
    {
        _cluster.Demand = demand;
        await _cluster.Autoscaler.LookAsync(TestContext.Current.CancellationToken);
    }

    private (string Status, string? Reason) Condition() =>
        (_cluster.Condition("Autoscaling").Status, _cluster.Condition("Autoscaling").Reason);
}
