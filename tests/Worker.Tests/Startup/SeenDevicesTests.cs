using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Startup;

public sealed class SeenDevicesTests
{
    private static readonly DeviceDescription Gpu = new("opencl", "MI300X", "OpenCL 2.0", IsGpu: true, 192L << 30, 304)
    {
        Architecture = "gfx942",
        Uuid = "GPU-0123456789abcdef",
    };

    [Fact]
    public void Without_a_GPU_auto_is_the_CPU_even_beside_a_processor_that_pretends()
    {
        var devices = SeenDevices.Of([Gpu with { IsGpu = false }], new CpuOptions { MemoryBytes = 1 << 30 });

        Assert.Equal(["0 opencl CPU", "1 cpu", "2 interpreter"], devices.Select(device => $"{device.Index} {device.Kind}"));
        Assert.Equal("cpu", Assert.Single(devices, device => device.IsAuto).Option);
    }

    [Fact]
    public void With_GPUs_auto_is_the_first_of_them()
    {
        var devices = SeenDevices.Of([Gpu, Gpu with { Uuid = "GPU-0000000000000002" }], new CpuOptions());

        Assert.Equal(["opencl GPU", "opencl GPU", "cpu", "interpreter"], devices.Select(device => device.Kind));
        var auto = Assert.Single(devices, device => device.IsAuto);
        Assert.Equal((0, "GPU-0123456789abcdef", "gfx942"), (auto.Index, auto.Uuid, auto.Architecture));
    }

    [Fact]
    public void Every_device_can_be_asked_for_by_its_option() => Assert.All(
        SeenDevices.Of([Gpu], new CpuOptions()), device => Assert.Contains(device.Option, BackendFactory.Devices));
}
