using System.Text;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>The key by which workers know the gateway: from the master key to the worker's environment.</summary>
public sealed class GatewaySecretTests
{
    private static readonly byte[] Master = "0123456789abcdef0123456789abcdef"u8.ToArray();

    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task Workers_get_the_derived_key_from_a_secret_that_goes_with_the_deployment()
    {
        await Deploy(Master);
        var secret = Assert.Single(_cluster.Server.All<V1Secret>());
        Assert.Equal(("haiku-gateway-key", "serving.cluster.sh/gateway-key"), (secret.Metadata.Name, secret.Type));
        Assert.Equal(GatewayKey.Derive(Master, "ns", "haiku", "uid-of-haiku"), Encoding.UTF8.GetString(secret.Data["key"]));
        var owner = Assert.Single(secret.Metadata.OwnerReferences);
        Assert.Equal(("uid-of-haiku", null), (owner.Uid, owner.Controller));

        var variable = _cluster.Server.All<V1Pod>().Single().Spec.Containers.Single().Env.Single(e => e.Name == "CLUSTER_GATEWAY_KEY");
        Assert.Equal(("haiku-gateway-key", "key"), (variable.ValueFrom.SecretKeyRef.Name, variable.ValueFrom.SecretKeyRef.Key));
    }

    [Fact]
    public async Task Without_a_master_key_there_is_neither_secret_nor_variable()
    {
        await Deploy(null);
        Assert.Empty(_cluster.Server.All<V1Secret>());
        Assert.DoesNotContain(_cluster.Server.All<V1Pod>().Single().Spec.Containers.Single().Env, e => e.Name == "CLUSTER_GATEWAY_KEY");
        Assert.DoesNotContain(_cluster.Server.Calls, call => call.Contains("Secret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_same_master_key_replaces_no_pod_and_another_one_rolls_them()
    {
        await Deploy(Master);
        var first = Assert.Single(_cluster.Replicas()).Name;
        _cluster.Restart();
        await _cluster.Finish();
        Assert.Equal(first, Assert.Single(_cluster.Replicas()).Name);

        _cluster.WorkerOptions = _cluster.WorkerOptions with { GatewayMasterKey = [.. Master, 1] };
        _cluster.Restart();
        await _cluster.Finish();
        Assert.NotEqual(first, Assert.Single(_cluster.Replicas()).Name);
        Assert.Equal(
            GatewayKey.Derive([.. Master, 1], "ns", "haiku", "uid-of-haiku"),
            Encoding.UTF8.GetString(Assert.Single(_cluster.Server.All<V1Secret>()).Data["key"]));
    }

    [Fact]
    public async Task It_is_never_read()
    {
        await Deploy(Master);
        Assert.DoesNotContain(
            _cluster.Server.Calls,
            call => call.Contains("Secret", StringComparison.Ordinal)
                && (call.StartsWith("get", StringComparison.Ordinal) || call.StartsWith("list", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task One_that_was_deleted_is_written_again_while_pods_wait_for_it()
    {
        await Deploy(Master);
        _cluster.Server.Remove<V1Secret>("ns", "haiku-gateway-key");
        await _cluster.Settle();
        Assert.Empty(_cluster.Server.All<V1Secret>());

        _cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        _cluster.Time.Advance(TimeSpan.FromMinutes(1));
        await _cluster.Settle();
        Assert.Single(_cluster.Server.All<V1Secret>());
    }

    [Fact]
    public async Task One_of_somebody_else_is_left_and_told_of()
    {
        _cluster.Server.BeforeCall = (verb, kind, _) =>
        {
            if ((verb, kind) is ("create" or "patch", "Secret"))
            {
                throw new KubernetesException(422, "Invalid", "Secret \"haiku-gateway-key\" is invalid: type: field is immutable");
            }
        };
        await Deploy(Master);
        Assert.Empty(_cluster.Replicas());
        Assert.Contains("field is immutable", _cluster.Condition("Degraded").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_else_may_set_the_variable()
    {
        var deployment = Given.Deployment(change: s => s.Tuning.Env = [WorkerPodSpec.Variable("CLUSTER_GATEWAY_KEY", "mine")]);
        var error = Assert.Single(ModelDeploymentValidator.Validate(deployment));
        Assert.Equal("spec.tuning.env[0].name", error.Path);
    }

    private async Task Deploy(byte[]? master)
    {
        _cluster.WorkerOptions = Given.Options with { GatewayMasterKey = master };
        _cluster.Restart();
        _cluster.Add(Given.Node("n1"));
        _cluster.Add(Given.Deployment());
        await _cluster.Finish();
    }
}
