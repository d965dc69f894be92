using System.Runtime.Intrinsics;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu;

public class CpuBackendTests
{
    [Fact]
    public void The_description_names_instruction_set_and_threads()
    {
        using var scalar = CpuBackend.Create(new CpuOptions { Width = VectorWidth.Scalar, Threads = 1 });
        using var wide = CpuBackend.Create(new CpuOptions { Width = VectorWidth.Bits512, Threads = 2 });
        Assert.Equal("scalar, 1 thread", scalar.Description);
        Assert.Matches("512.*, 2 threads$", wide.Description);
        Assert.Equal("cpu", scalar.Name);
    }

    [Fact]
    public void Defaults_use_what_the_machine_has()
    {
        var options = new CpuOptions();
        Assert.Equal(Environment.ProcessorCount, options.Threads);
        Assert.InRange(options.MemoryBytes, 64L << 20, long.MaxValue);
        Assert.Equal(Vector512.IsHardwareAccelerated, options.Width == VectorWidth.Bits512);
    }

    [Fact]
    public void Allocating_past_the_budget_is_refused_with_the_numbers()
    {
        using var backend = CpuBackend.Create(new CpuOptions { Threads = 1, MemoryBytes = 1000 });
        backend.Allocate("hidden", DType.F32, 10, 10);
        var exception = Assert.Throws<InsufficientMemoryException>(() => backend.Allocate("logits", DType.F32, 10, 16));
        Assert.Equal("'logits' needs 640 bytes, but 400 of the 1000 bytes that may be used are taken", exception.Message);
        Assert.Equal(1000, backend.AvailableBytes);
    }

    [Fact]
    public void Tensors_start_zeroed_and_a_shape_that_does_not_fit_is_named()
    {
        using var device = new CpuDevice(VectorWidth.Bits256);
        Assert.All(device.Read(device.Empty(3, 5)), value => Assert.Equal(0, value));
        var exception = Assert.Throws<ArgumentException>(() => device.Backend.Add(device.Empty(2, 3), device.Empty(2, 4)));
        Assert.Equal("output:F32[2,3] given where F32[2,4] is needed", exception.Message);
    }

    [Fact]
    public void A_steady_decode_step_allocates_nothing()
    {
        using var device = new CpuDevice(VectorWidth.Bits256, threads: 2);
        var backend = device.Backend;
        var random = new Random(1);
        var norm = device.Floats(HostTensors.Random(random, 64), 1, 64);
        var qkvWeight = backend.LoadLinear("qkv", [HostTensors.Of("qkv", DType.BF16, HostTensors.Random(random, 128 * 64), 128, 64)]);
        var cache = backend.AllocateKvCache(new KvCacheLayout(1, 2, 16, 16, 2, DType.F32));
        var rope = backend.LoadRope(new RopeFrequencies([1f, 0.1f], 1, 32));
        Tensor hidden = device.Empty(1, 64), qkv = device.Empty(1, 128), output = device.Empty(1, 64), half = device.Empty(1, 32);
        var one = device.Integers(1, 1, 0);
        var inputs = new AttentionInputs(
            one, one, device.Integers(2, 1, 0, 1), device.Integers(1, 1, 1), device.Integers(1, 2, 0, 1), 1, 1);
        var settings = new AttentionSettings(4, 0.25f);
        long before = 0;
        for (var step = 0; step < 20; step++)
        {
            before = step == 10 ? GC.GetAllocatedBytesForCurrentThread() : before;
            backend.RmsNorm(hidden, norm, 1e-5f, output);
            backend.Linear(output, qkvWeight, qkv);
            backend.RopeAndCache(qkv, rope, inputs, cache, 0);
            backend.PagedAttention(qkv, inputs, cache, 0, settings, output);
            backend.AddRmsNorm(hidden, output, norm, 1e-5f, output);
            backend.GatedActivation(hidden, Activation.Silu, half);
            backend.GatherRows(hidden, one, output);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
