using System.Reflection;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Compute.Profiling;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Compute.Cpu;
using Cluster.Worker.Tests.Engine;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Compute.Profiling;

/// <summary>What steps consist of, counted by operation.</summary>
public sealed class ProfilingBackendTests
{
    private static readonly ModelRunnerOptions Small = new() { MaxSequences = 4, MaxModelLength = 64, MaxBatchedTokens = 32 };

    [Fact]
    public void Every_operation_is_passed_on()
    {
        var missing = typeof(Backend).GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
            .Where(method => method is { IsVirtual: true, IsFinal: false } && method.DeclaringType == typeof(Backend))
            .Where(method => typeof(ProfilingBackend).GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
                .Single(m => m.GetBaseDefinition() == method.GetBaseDefinition()).DeclaringType != typeof(ProfilingBackend))
            .Select(method => method.Name);
        Assert.Empty(missing);
    }

    [Fact]
    public void A_step_keeps_its_bits_and_is_counted_by_operation()
    {
        var plain = Logits(new CpuDevice(CpuDevice.Widths[1]).Backend, null, out _);
        var profile = new OperationProfile();
        var backend = new ProfilingBackend(new CpuDevice(CpuDevice.Widths[1]).Backend, profile, launches: null, wait: null);
        Assert.Equal(plain, Logits(backend, profile, out var weightBytes));

        Assert.Equal(0, profile.Prefill.Steps);
        Assert.Equal((1, 1L), (profile.Decode.Steps, profile.Decode.Rows));
        var operations = profile.Decode.Operations;
        Assert.Equal(5, operations["attention"].Calls);
        Assert.Equal(5, operations["rope and cache"].Calls);
        Assert.Equal(5, operations["activation"].Calls);
        var linears = operations.Where(o => o.Key.StartsWith("linear ", StringComparison.Ordinal)).Select(o => o.Value).ToList();
        Assert.Equal(4 * 5 + 1, linears.Sum(o => o.Calls));

        // Each weight is read once: all resident ones but the embedding table, which is not multiplied by, and norms.
        Assert.InRange(linears.Sum(o => o.Bytes), 0.8 * weightBytes / 2, 1.1 * weightBytes);
        Assert.All(operations.Values, o => Assert.True(o.Seconds > 0 && o.Launches == o.Calls));
        Assert.Equal(operations.Values.Sum(o => o.Bytes), profile.Decode.Total.Bytes, 1.0);
    }

    [Fact]
    public void Launches_are_those_of_the_device()
    {
        var profile = new OperationProfile();
        var launcher = new CountingLauncher(new InterpreterLauncher(1L << 28));
        var backend = new ProfilingBackend(
            new IlgpuBackend(launcher, new IlgpuOptions()), profile, () => launcher.Launches, launcher.Synchronize);
        var before = launcher.Launches;
        Logits(backend, profile, out _);

        // All but what chooses tokens, which this step does not.
        Assert.Equal(launcher.Launches - before, profile.Decode.Total.Launches);
        Assert.True(profile.Decode.Operations["attention"].Launches >= profile.Decode.Operations["attention"].Calls);
    }

    [Theory]
    [InlineData(1, 10, 0, 10, 10)]
    [InlineData(4, 4, 0, 4, 10)]
    [InlineData(4, 10, 0, 10, 34)]
    [InlineData(1, 10, 3, 3, 3)]
    [InlineData(4, 4, 3, 4, 9)]
    [InlineData(4, 10, 3, 6, 12)]
    [InlineData(4, 4, 100, 4, 10)]
    public void Keys_are_counted_as_far_as_a_layer_looks(int query, int context, int window, long read, long pairs)
    {
        var profile = new OperationProfile();
        profile.Begin([0, query, query + 1], [context, 1]);
        Assert.Equal((read + 1, pairs + 1), profile.Keys(window));

        // The same, one query after another.
        var slow = Enumerable.Range(context - query, query).Sum(position => window == 0 ? position + 1 : Math.Min(position + 1, window));
        Assert.Equal(slow, pairs);
    }

    [Fact]
    public void A_roofline_is_memory_or_arithmetic_whichever_takes_longer()
    {
        var peaks = new PeakRates("test", 100, 1000);
        Assert.Equal(0.01, peaks.LeastSeconds(1e9, 1e9), 1e-12);
        Assert.Equal(0.1, peaks.LeastSeconds(1e9, 1e11), 1e-12);
        Assert.True(peaks.IsBoundByMemory(1e9, 1e9));
        Assert.False(peaks.IsBoundByMemory(1e9, 1e11));
        Assert.Equal(PeakRates.Mi300X, PeakRates.Of("hip: AMD Instinct MI300X, gfx942, 304 compute units"));
        Assert.Null(PeakRates.Of("opencl: cpu-haswell"));
    }

    private static float[] Logits(Backend backend, OperationProfile? profile, out long weightBytes)
    {
        var model = ModelLoader.Load(Fixtures.Haiku, backend, Small with { SampleOnDevice = false });
        weightBytes = model.ResidentWeightBytes;
        using var runner = new MeteredRunner(model.Runner, cost: null, TimeProvider.System, profile);
        runner.Launch(FakeModelRunner.OneToken);
        return runner.WaitForLogits().ToArray();
    }
}
