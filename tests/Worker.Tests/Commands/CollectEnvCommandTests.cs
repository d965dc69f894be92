using Cluster.Worker.Commands;

namespace Cluster.Worker.Tests.Commands;

public sealed class CollectEnvCommandTests
{
    [Fact]
    public void Of_the_environment_only_what_chooses_devices_is_told()
    {
        var asked = new List<string>();

        var facts = CollectEnvCommand.Facts(name =>
        {
            asked.Add(name);
            return name == "ROCR_VISIBLE_DEVICES" ? "0,1" : null;
        }).ToList();

        Assert.Equal(
            [
                "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "OCL_ICD_VENDORS",
                "CLUSTER_KERNEL_CACHE",
            ],
            asked);
        Assert.Contains(("ROCR_VISIBLE_DEVICES", "0,1"), facts);
        Assert.Contains(("OCL_ICD_VENDORS", "not set"), facts);
        Assert.Equal(["cluster-worker", "runtime", "system", "processor", "memory"], facts.Take(5).Select(fact => fact.Name));
    }
}
