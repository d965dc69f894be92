using System.Text.Json;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;

namespace Cluster.Operator.Tests.NodeAgent;

public sealed class GpuReportTests : IDisposable
{
    private readonly FakeMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void The_annotation_reads_back_as_what_was_found()
    {
        var gpus = KfdTopology.Read(_machine.WithMi300X(8, gpu => (ulong)gpu / 4).Sys);
        Assert.Equal(gpus, JsonSerializer.Deserialize<List<GpuDevice>>(GpuReport.Annotation(gpus), KubernetesJson.Options));
    }

    [Fact]
    public void Labels_say_what_all_gpus_have_in_common()
    {
        var labels = GpuReport.Labels(KfdTopology.Read(_machine.WithMi300X(2, _ => 7, 8, "CPX", "NPS4", n => $"amdgpu_xcp_{n}").Sys));
        Assert.Equal(
            [("serving.cluster.sh/gpu-count", "16"), ("serving.cluster.sh/gpu-device-id", "74a1"), ("serving.cluster.sh/gpu-gfx", "gfx942"),
                ("serving.cluster.sh/gpu-partition", "cpx-nps4")],
            labels.Select(l => (l.Key, l.Value!)).Order());
    }

    [Fact]
    public void Where_gpus_differ_or_there_are_none_a_label_is_taken_off()
    {
        GpuDevice[] mixed = [
            new() { Index = 0, DeviceId = "74a1", Gfx = "gfx942" },
            new() { Index = 1, DeviceId = "74b5", Gfx = "gfx942", ComputePartition = "CPX" }];
        Assert.Equal(
            [("2", null, "gfx942", null), (null, null, null, (string?)null)], new[] { GpuReport.Labels(mixed), GpuReport.Labels([]) }
            .Select(
                l => (l[NodeAnnotations.GpuCountLabel], l[NodeAnnotations.GpuDeviceIdLabel], l[NodeAnnotations.GpuGfxLabel],
                    l[NodeAnnotations.GpuPartitionLabel])));
        Assert.Equal("[]", GpuReport.Annotation([]));
    }
}
