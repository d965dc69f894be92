using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Checkpoints that are OCI images.</summary>
public sealed class ImageVolumesTests
{
    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task An_image_is_a_volume_of_the_pod_and_a_folder_of_the_worker()
    {
        await Deploy("v1.36.0");
        var pod = _cluster.Server.Find<V1Pod>("ns", Assert.Single(_cluster.Replicas()).Name)!;
        Assert.Equal(
            """{"name":"model","image":{"reference":"ghcr.io/org/haiku:v1"}}""", pod["spec"]!["volumes"]![0]!.ToJsonString());
        var container = pod["spec"]!["containers"]![0]!;
        Assert.Equal("""{"name":"model","mountPath":"/models/haiku","readOnly":true}""", container["volumeMounts"]![0]!.ToJsonString());
        Assert.Contains("/models/haiku", container["args"]!.AsArray().Select(a => (string)a!));
        Assert.DoesNotContain(container["env"]!.AsArray(), e => (string)e!["name"]! == "HF_HOME");
    }

    [Theory]
    [InlineData("v1.30.14", false)]
    [InlineData("v1.31.0", true)]
    [InlineData("v1.35.2+k3s1", true)]
    [InlineData("v2.0.0", true)]
    [InlineData("", true)]
    public async Task Nodes_that_know_no_such_volumes_are_passed_over_and_the_condition_says_why(string kubelet, bool fits)
    {
        await Deploy(kubelet);
        Assert.Equal(fits ? 1 : 0, _cluster.Replicas().Count);
        if (!fits)
        {
            Assert.Equal(
                $"no node with GPUs can be used; not usable: n1 (kubelet {kubelet} mounts no images: oci:// needs 1.31)",
                _cluster.Condition("GpusAllocated").Message);
        }
    }

    [Fact]
    public async Task An_api_server_that_drops_the_field_is_explained()
    {
        _cluster.Server.BeforeCall = (verb, kind, _) =>
        {
            if ((verb, kind) is ("create", "Pod"))
            {
                throw new KubernetesException(
                    422, "Invalid", "Pod is invalid: spec.volumes[0]: Required value: must specify a volume type");
            }
        };
        await Deploy("v1.33.0");
        Assert.EndsWith(
            "(oci:// sources are volumes of images: the API server and the kubelets need the feature gate ImageVolume, which is on from "
            + "Kubernetes 1.35)", _cluster.Condition("Degraded").Message, StringComparison.Ordinal);
    }

    private async Task Deploy(string kubelet)
    {
        _cluster.Add(Given.Node(
            "n1", change: n => n.Status.NodeInfo = kubelet.Length == 0 ? null : new V1NodeSystemInfo { KubeletVersion = kubelet }));
        _cluster.Add(Given.Deployment(change: s => s.Model.Source = "oci://ghcr.io/org/haiku:v1"));
        await _cluster.Finish();
    }
}
