using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;

namespace Cluster.Worker.Startup;

/// <summary>What to do where OpenCL shows no device. Told by <see cref="BackendFactory"/> and by <c>devices</c>.</summary>
internal static class OpenClAdvice
{
    private const string Drivers =
        "for AMD GPUs install ROCm's rocm-opencl, for a CPU device pocl-opencl-icd (apt install pocl-opencl-icd on Debian 13 or Ubuntu "
        + "24.04)";

    /// <summary>As things are on this machine.</summary>
    public static string Text => Of(OpenClApi.Find() is not null, Environment.GetEnvironmentVariable(VisibleDevices.Variable));

    /// <param name="hasLoader">Whether there is a libOpenCL.so.1.</param>
    /// <param name="visible">Value of <see cref="VisibleDevices.Variable"/>; null where it is not set.</param>
    public static string Of(bool hasLoader, string? visible) => hasLoader
        ? "OpenCL is installed, but no driver of it has a device (/etc/OpenCL/vendors, OCL_ICD_VENDORS"
            + $"{(visible is null ? "" : $", {VisibleDevices.Variable}={visible}")}): {Drivers}"
        : $"OpenCL is not installed, there is no libOpenCL.so.1: {Drivers}";
}
