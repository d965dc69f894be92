using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Startup;

public sealed class OpenClAdviceTests
{
    [Theory]
    [InlineData(false, null, "OpenCL is not installed, there is no libOpenCL.so.1: ")]
    [InlineData(true, null, "OpenCL is installed, but no driver of it has a device (/etc/OpenCL/vendors, OCL_ICD_VENDORS): ")]
    [InlineData(true, "1", "OpenCL is installed, but no driver of it has a device (/etc/OpenCL/vendors, OCL_ICD_VENDORS, ROCR_VISIBLE_DEVICES=1)")]
    public void What_is_missing_is_said_first_and_then_what_to_install(bool hasLoader, string? visible, string missing)
    {
        var text = OpenClAdvice.Of(hasLoader, visible);

        Assert.StartsWith(missing, text, StringComparison.Ordinal);
        Assert.EndsWith(
            "for AMD GPUs install ROCm's rocm-opencl, for a CPU device pocl-opencl-icd (apt install pocl-opencl-icd on Debian 13 or Ubuntu "
            + "24.04)",
            text, StringComparison.Ordinal);
    }
}
