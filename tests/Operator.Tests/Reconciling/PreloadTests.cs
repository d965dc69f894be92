using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling.Preloading;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Caches that are filled before replicas are placed.</summary>
public sealed class PreloadTests
{
    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task Every_node_gets_a_pod_that_fetches_and_replicas_come_where_it_is_done()
    {
        await Deploy(replicas: 2, "n1", "n2");
        Assert.Equal(["n1", "n2"], Targets());
        Assert.Empty(_cluster.Replicas());
        Assert.Equal(("True", "Preloading"), Condition("Progressing"));
        Assert.Equal("0 of 2 nodes have the model", _cluster.Condition("Preloaded").Message);

        Finish("n2");
        await _cluster.Settle();
        Assert.Equal(["n2", "n2"], _cluster.Replicas().Select(r => r.Node));
        Assert.Equal(
            [("n1", PreloadState.Waiting), ("n2", PreloadState.Done)],
            _cluster.Deployment().Status!.Preload!.Select(n => (n.Node, n.State)));

        Finish("n1");
        await _cluster.Finish();
        Assert.Equal(("True", "AllPreloaded"), Condition("Preloaded"));
        Assert.Equal("2 of 2 nodes have the model", _cluster.Condition("Preloaded").Message);
    }

    [Fact]
    public async Task Its_pod_has_the_cache_and_the_token_and_neither_gpus_nor_privileges()
    {
        await Deploy(replicas: 1, "n1");
        var pod = _cluster.Server.Find<V1Pod>("ns", PodOf("n1").Metadata.Name)!;
        var container = Assert.Single(pod["spec"]!["containers"]!.AsArray())!;
        Assert.Equal("""["fetch","hf://org/model@main"]""", container["args"]!.ToJsonString());
        Assert.Equal("worker:test", (string?)container["image"]);
        Assert.Equal("OnFailure", (string?)pod["spec"]!["restartPolicy"]);
        Assert.Equal("""[{"name":"hub-cache","mountPath":"/var/cache/huggingface"}]""", container["volumeMounts"]!.ToJsonString());
        Assert.Equal("""[{"name":"hub-cache","hostPath":{"path":"/cache","type":"Directory"}}]""", pod["spec"]!["volumes"]!.ToJsonString());
        Assert.Equal(
            ["POD_NAME", "POD_NAMESPACE", "HF_HOME", "HF_TOKEN"], container["env"]!.AsArray().Select(e => (string)e!["name"]!));
        Assert.Null(container["resources"]);
        Assert.Null(container["securityContext"]!["privileged"]);
        Assert.DoesNotContain(ApiNames.DeploymentLabel, pod["metadata"]!["labels"]!.AsObject().Select(l => l.Key));
        Assert.Contains("\"n1\"", pod["spec"]!["affinity"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_fails_is_told_and_passed_over()
    {
        await Deploy(replicas: 1, "n1", "n2");
        Fail("n1", "the hub said 404");
        Finish("n2");
        await _cluster.Finish();
        Assert.Equal("n2", Assert.Single(_cluster.Replicas()).Node);
        Assert.Equal(("False", "PreloadFailed"), Condition("Preloaded"));
        Assert.StartsWith("1 of 2 nodes have the model; node n1: ", _cluster.Condition("Preloaded").Message, StringComparison.Ordinal);
        Assert.Contains("the hub said 404", _cluster.Condition("Preloaded").Message, StringComparison.Ordinal);
        Assert.Contains("PreloadFailed", _cluster.Events());
    }

    [Fact]
    public async Task Another_model_is_fetched_everywhere_before_the_first_old_replica_goes()
    {
        await Deploy(replicas: 2, "n1", "n2");
        Finish("n1");
        Finish("n2");
        await _cluster.Finish();
        List<string> old = [.. _cluster.Replicas().Select(r => r.Name)];

        _cluster.ChangeSpec("haiku", s => s["model"]!["source"] = "hf://org/model@v2");
        await _cluster.Settle();
        Assert.Equal(2, Fetchers().Count(p => p.Metadata.DeletionTimestamp is not null));
        await _cluster.Settle();
        Finish("n1");
        await _cluster.Settle();
        Assert.Equal(old, _cluster.Replicas().Select(r => r.Name));

        Finish("n2");
        await _cluster.Finish();
        await _cluster.Finish();
        Assert.Equal(2, _cluster.Replicas().Count);
        Assert.DoesNotContain(_cluster.Replicas(), r => old.Contains(r.Name));
        Assert.Equal(2, Fetchers().Count);
    }

    [Fact]
    public async Task A_shared_claim_is_filled_once()
    {
        _cluster.Add(Given.Node("n1"));
        _cluster.Add(Given.Node("n2"));
        _cluster.Add(Given.Deployment(change: s => s.Model = Model(cache: "pvc://models")));
        await _cluster.Settle();
        Assert.Equal([PreloadPod.Shared], Targets());
        Assert.Equal("the shared cache is being filled", _cluster.Condition("Preloaded").Message);
        Assert.Empty(_cluster.Replicas());

        Finish(PreloadPod.Shared);
        await _cluster.Finish();
        Assert.Single(_cluster.Replicas());
        Assert.Equal("the shared cache has the model", _cluster.Condition("Preloaded").Message);
    }

    [Fact]
    public async Task An_image_is_pulled_by_mounting_it()
    {
        _cluster.Add(Given.Node("n1"));
        _cluster.Add(Given.Deployment(change: s => s.Model = new ModelSpec { Source = "oci://ghcr.io/org/haiku:v1", Preload = true }));
        await _cluster.Settle();
        var pod = _cluster.Server.Find<V1Pod>("ns", PodOf("n1").Metadata.Name)!;
        Assert.Equal("""["fetch","/models/haiku"]""", pod["spec"]!["containers"]![0]!["args"]!.ToJsonString());
        Assert.Equal(
            """[{"name":"model","image":{"reference":"ghcr.io/org/haiku:v1"}}]""", pod["spec"]!["volumes"]!.ToJsonString());
    }

    [Fact]
    public async Task A_node_that_comes_later_is_filled_and_holds_nobody_up()
    {
        await Deploy(replicas: 1, "n1");
        Finish("n1");
        await _cluster.Finish();
        _cluster.Add(Given.Node("n2"));
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 3);
        await _cluster.Settle();
        Assert.Equal(["n1", "n2"], Targets());
        Assert.Equal(["n1", "n1", "n1"], _cluster.Replicas().Select(r => r.Node));
    }

    [Fact]
    public async Task Without_it_the_pods_go()
    {
        await Deploy(replicas: 1, "n1");
        Finish("n1");
        await _cluster.Finish();
        _cluster.ChangeSpec("haiku", s => s["model"]!.AsObject().Remove("preload"));
        await _cluster.Finish();
        Assert.Empty(Fetchers());
        Assert.Single(_cluster.Replicas());
        Assert.DoesNotContain(_cluster.Deployment().Status!.Conditions!, c => c.Type == "Preloaded");
    }

    [Fact]
    public async Task A_cache_that_ends_with_its_pod_cannot_be_filled_before()
    {
        _cluster.Add(Given.Node("n1"));
        _cluster.Add(Given.Deployment(change: s => s.Model = Model(cache: null)));
        await _cluster.Settle();
        Assert.Empty(_cluster.Server.All<V1Pod>());
        Assert.Contains(
            "give spec.model.cache, or the operator --hub-cache", _cluster.Condition("Degraded").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_may_not_be_made_is_told()
    {
        _cluster.Server.BeforeCall = (verb, kind, name) =>
        {
            if ((verb, kind) is ("create", "Pod"))
            {
                throw new KubernetesException(403, "Forbidden", "exceeded quota: pods");
            }
        };
        await Deploy(replicas: 1, "n1");
        Assert.Equal(("False", "PreloadFailed"), Condition("Preloaded"));
        Assert.Equal("0 of 1 nodes has the model; exceeded quota: pods", _cluster.Condition("Preloaded").Message);
    }

    private static ModelSpec Model(string? cache) => new() { Source = "hf://org/model@main", Cache = cache, Preload = true };

    private async Task Deploy(int replicas, params string[] nodes)
    {
        foreach (var node in nodes)
        {
            _cluster.Add(Given.Node(node));
        }

        _cluster.Add(Given.Deployment(change: s =>
        {
            s.Replicas = replicas;
            s.Model = Model("file:///cache");
            s.Model.TokenSecretRef = new SecretKeyRef { Name = "hf", Key = "token" };
        }));
        await _cluster.Settle();
    }

    private List<V1Pod> Fetchers() =>
        [.. _cluster.Server.All<V1Pod>().Where(p => p.Metadata.Labels.ContainsKey(PreloadPod.Label))];

    private IEnumerable<string> Targets() =>
        Fetchers().Select(p => p.Metadata.Annotations[PreloadPod.TargetAnnotation]).Order(StringComparer.Ordinal);

    private V1Pod PodOf(string target) => Fetchers().Single(
        p => p.Metadata.DeletionTimestamp is null && p.Metadata.Annotations[PreloadPod.TargetAnnotation] == target);

    private void Finish(string target) => _cluster.Server.Update<V1Pod>(
        "ns", PodOf(target).Metadata.Name, p => p["status"] = new JsonObject { ["phase"] = "Succeeded" });

    private void Fail(string target, string words) => _cluster.Server.Update<V1Pod>(
        "ns", PodOf(target).Metadata.Name, p => p["status"] = JsonNode.Parse(
            $$$"""
            {"phase": "Running", "containerStatuses": [{"name": "fetch", "ready": false, "restartCount": 3, "image": "", "imageID": "",
             "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error",
             "message": "{{{words}}}"} } }]}
            """));

    private (string Status, string? Reason) Condition(string type) => (_cluster.Condition(type).Status, _cluster.Condition(type).Reason);
}
