using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Startup;

/// <summary>Checks that a replica sees the GPUs it needs. Called by <see cref="BackendFactory"/>.</summary>
internal static class VisibleGpus
{
    /// <param name="gpus">What is visible; where there is none, ranks share the processor.</param>
    /// <param name="exactly">Whether more than one for each rank are too many.</param>
    /// <exception cref="StartupException">There are too few of them, or too many.</exception>
    public static void Require(IReadOnlyList<DeviceDescription> gpus, int ranks, bool exactly) =>
        Require(gpus, ranks, exactly, Environment.GetEnvironmentVariable(VisibleDevices.Variable));

    /// <param name="visible">Value of <see cref="VisibleDevices.Variable"/>; null where it is not set.</param>
    /// <exception cref="StartupException">As above.</exception>
    public static void Require(IReadOnlyList<DeviceDescription> gpus, int ranks, bool exactly, string? visible)
    {
        if (gpus.Count == 0 || gpus.Count == ranks || (gpus.Count > ranks && !exactly))
        {
            return;
        }

        throw new StartupException(
            $"--tensor-parallel-size {ranks} needs {(exactly ? "exactly" : "at least")} {ranks} GPU(s), but {gpus.Count} can be seen: "
            + $"{string.Join("; ", gpus.Select(gpu => gpu.Title))}. {VisibleDevices.Variable} names those to use; "
            + $"{(visible is null ? "it is not set" : $"it is '{visible}'")}");
    }
}
