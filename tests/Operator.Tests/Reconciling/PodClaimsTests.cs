using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Ownership follows the label that the services select by, as in a ReplicaSet.</summary>
public sealed class PodClaimsTests
{
    private readonly SimulatedCluster _cluster = new();

    [Theory]
    [InlineData(null)]
    [InlineData("somebody")]
    public async Task A_pod_that_leaves_the_service_is_released_and_replaced_and_keeps_its_gpus(string? label)
    {
        await Serving(replicas: 2, gpus: 8);
        var pod = _cluster.Replicas()[0];
        Label(pod.Name, label);
        await _cluster.Finish();

        Assert.Equal(2, _cluster.Replicas().Count);
        Assert.Contains(_cluster.Server.All<V1Pod>(), p => p.Metadata.Name == pod.Name && p.Metadata.OwnerReferences is null or []);
        Assert.Equal(3, _cluster.Server.All<V1Pod>().Count());
        Assert.Empty(_cluster.SharedGpus());
        Assert.Contains("ReleasedPod", _cluster.Events());
        Assert.Equal("Complete", _cluster.Condition("Progressing").Reason);
    }

    [Fact]
    public async Task A_released_pod_still_holds_the_last_gpu()
    {
        await Serving(replicas: 1, gpus: 1);
        Label(_cluster.Replicas()[0].Name, null);
        await _cluster.Settle();

        Assert.Empty(_cluster.Replicas());
        Assert.Equal("InsufficientGpus", _cluster.Condition("Progressing").Reason);

        _cluster.Server.Remove<V1Pod>("ns", _cluster.Server.All<V1Pod>().Single().Metadata.Name);
        await _cluster.Finish();
        Assert.Single(_cluster.Replicas());
    }

    [Fact]
    public async Task A_label_that_is_put_back_brings_the_pod_back()
    {
        await Serving(replicas: 1, gpus: 1);
        var pod = _cluster.Replicas()[0].Name;
        Label(pod, null);
        await _cluster.Settle();
        Label(pod, "haiku");
        await _cluster.Finish();

        Assert.Equal(pod, Assert.Single(_cluster.Replicas()).Name);
        Assert.Contains("AdoptedPod", _cluster.Events());
        Assert.Equal("Complete", _cluster.Condition("Progressing").Reason);
    }

    [Fact]
    public async Task A_pod_whose_owner_was_taken_away_is_adopted_again()
    {
        await Serving(replicas: 2, gpus: 2);
        var pod = _cluster.Replicas()[1].Name;
        Disown(pod);
        await _cluster.Finish();

        Assert.Equal(2, _cluster.Replicas().Count);
        Assert.Contains(_cluster.Replicas(), r => r.Name == pod);
        Assert.Empty(_cluster.SharedGpus());
    }

    [Fact]
    public async Task A_pod_moved_to_another_deployment_is_one_of_its_replicas_then()
    {
        await Serving(replicas: 1, gpus: 3);
        _cluster.Add(Given.Deployment("other"));
        await _cluster.Finish("other");
        var moved = _cluster.Replicas()[0].Name;
        Label(moved, "other");
        await _cluster.Settle();
        await _cluster.Finish("other");
        await _cluster.Finish();

        Assert.Single(_cluster.Replicas());
        Assert.Single(_cluster.Replicas("other"));
        Assert.Empty(_cluster.SharedGpus());
    }

    [Fact]
    public async Task An_orphan_made_by_somebody_else_counts_and_is_replaced_by_one_of_ours()
    {
        await Serving(replicas: 1, gpus: 4);
        var stranger = _cluster.Server.Find<V1Pod>("ns", _cluster.Replicas()[0].Name)!.DeepClone().AsObject();
        stranger["metadata"] = new JsonObject
        {
            ["name"] = "stranger",
            ["namespace"] = "ns",
            ["uid"] = "uid-of-stranger",
            ["labels"] = new JsonObject { [ApiNames.DeploymentLabel] = "haiku" },
        };
        await _cluster.Server.CreateAsync<V1Pod>(stranger, CancellationToken.None);
        await _cluster.Finish();

        Assert.DoesNotContain("stranger", Assert.Single(_cluster.Replicas()).Name, StringComparison.Ordinal);
        Assert.Single(_cluster.Server.All<V1Pod>());
    }

    [Fact]
    public async Task Nothing_is_planned_on_a_cache_that_does_not_show_the_claim_yet()
    {
        await Serving(replicas: 2, gpus: 8);
        Disown(_cluster.Replicas()[0].Name);
        _cluster.Deliver();
        await _cluster.Reconcile();
        await _cluster.Reconcile();

        Assert.Equal(2, _cluster.Server.All<V1Pod>().Count());
    }

    [Fact]
    public async Task A_deployment_that_is_being_deleted_adopts_nothing()
    {
        await Serving(replicas: 1, gpus: 2);
        var pod = _cluster.Replicas()[0].Name;
        Disown(pod);
        _cluster.Deliver();

        // The cache does not know of it yet.
        await _cluster.Server.DeleteAsync<ModelDeployment>("ns", "haiku", null, null, CancellationToken.None);
        await _cluster.Reconcile();
        Assert.Empty(_cluster.Replicas());
    }

    [Fact]
    public async Task Deleted_with_its_dependents_orphaned_a_deployment_leaves_its_pods_and_one_of_its_name_adopts_them()
    {
        await Serving(replicas: 2, gpus: 2);
        var pods = _cluster.Replicas().Select(r => r.Name).ToList();
        _cluster.Server.Update<ModelDeployment>(
            "ns", "haiku", d => d["metadata"]!["finalizers"] = new JsonArray(ApiNames.Finalizer, "orphan"));
        await _cluster.Server.DeleteAsync<ModelDeployment>("ns", "haiku", null, null, CancellationToken.None);
        _cluster.Deliver();

        // The garbage collector is done before the operator looks again.
        _cluster.Server.Update<ModelDeployment>("ns", "haiku", d => d["metadata"]!["finalizers"] = new JsonArray(ApiNames.Finalizer));
        _cluster.Deliver();
        await _cluster.Settle();
        Assert.Null(_cluster.Server.Find<ModelDeployment>("ns", "haiku"));
        Assert.All(_cluster.Replicas(), r => Assert.False(r.Terminating));

        pods.ForEach(Disown);
        foreach (var service in new[] { "haiku", "haiku-pods" })
        {
            _cluster.Server.Update<V1Service>("ns", service, s => s["metadata"]!.AsObject().Remove("ownerReferences"));
        }

        _cluster.Server.Update<V1PodDisruptionBudget>("ns", "haiku", b => b["metadata"]!.AsObject().Remove("ownerReferences"));
        _cluster.Server.Update<V1ServiceAccount>("ns", "haiku-worker", a => a["metadata"]!.AsObject().Remove("ownerReferences"));
        var again = Given.Deployment();
        again.Metadata.Uid = "uid-of-another";
        again.Spec.Replicas = 2;
        _cluster.Add(again);
        await _cluster.Finish();
        Assert.Equal(pods, _cluster.Replicas("another").Select(r => r.Name));
        var progressing = _cluster.Condition("Progressing");
        Assert.Equal(("Complete", progressing.Message), (progressing.Reason, progressing.Message));
    }

    [Fact]
    public void A_change_of_owner_or_label_brings_back_whom_it_concerns()
    {
        using WorkQueue<NamespacedName> queue = new("test", TimeProvider.System, new());
        Triggers triggers = new(queue, _cluster.Fleet);
        var before = Given.Pod("p");
        var after = Given.Pod("p");
        after.Metadata.OwnerReferences = [];
        after.Metadata.Labels[ApiNames.DeploymentLabel] = "other";
        triggers.OnPod(new ObjectChange<V1Pod>(ChangeType.Updated, before, after));

        Assert.Equal(2, queue.Count);
    }

    private async Task Serving(int replicas, int gpus)
    {
        _cluster.Add(Given.Node("n1", gpus));
        _cluster.Add(Given.Deployment(change: s => s.Replicas = replicas));
        await _cluster.Finish();
        Assert.Equal(replicas, _cluster.Replicas().Count(r => r.Ready));
    }

    private void Label(string pod, string? value) => _cluster.Server.Update<V1Pod>("ns", pod, p =>
    {
        p["metadata"]!["labels"]!.AsObject().Remove(ApiNames.DeploymentLabel);
        if (value is not null)
        {
            p["metadata"]!["labels"]![ApiNames.DeploymentLabel] = value;
        }
    });

    private void Disown(string pod) =>
        _cluster.Server.Update<V1Pod>("ns", pod, p => p["metadata"]!.AsObject().Remove("ownerReferences"));
}
