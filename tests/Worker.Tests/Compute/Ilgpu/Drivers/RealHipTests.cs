using Cluster.Worker.Compute.Ilgpu.Launch.Hip;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>AMD's own <c>libamdhip64</c> on a machine without an AMD GPU: Debian's (tests/Device.Tests/get-rocm fetches it) or
/// ROCm's.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class RealHipTests
{
    private static readonly string Worker = Path.Combine(AppContext.BaseDirectory, "cluster-worker");

    [Fact]
    public async Task The_real_library_has_every_function_and_says_that_there_is_no_device()
    {
        Assert.SkipWhen(
            HipLibrary.Find(HipLibrary.FileNames) is null,
            $"there is none of {string.Join(", ", HipLibrary.FileNames)} (Debian: libamdhip64-5; see get-rocm)");
        var library = HipLibrary.Find(HipLibrary.FileNames)!;
        Assert.SkipWhen(library.CountDevices() > 0, "there is an AMD GPU");

        Assert.Matches(@"^HIP \d+\.\d+\.\d+$", library.Version());
        Assert.Equal("hipErrorOutOfMemory (2)", library.Describe(2));
        Assert.Empty(HipDevice.All());
        var refused = Assert.Throws<StartupException>(() => BackendFactory.For(new DeviceOptions("hip")));
        Assert.StartsWith($"--device hip: {library.Name} ({library.Version()}) shows no AMD GPU: ", refused.Message);
        var devices = await CommandLine.RunAsync(Worker, ["devices"]);
        Assert.True(devices.ExitCode == 0, devices.All);
        Assert.Contains($"hip: {library.Name} ({library.Version()}) shows no AMD GPU", devices.All);
    }
}
