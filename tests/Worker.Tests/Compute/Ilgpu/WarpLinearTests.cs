using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Tests.Compute.Cpu.Quantized;
using Cluster.Worker.Tests.Compute.Ilgpu.Drivers;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>The kernels for matrix instructions of warps, as PTX on a fake NVIDIA GPU, and in the interpreter.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class WarpLinearTests : IDisposable
{
    private readonly FakeGpu _gpu = FakeGpu.Cuda();

    private readonly BackendUnderTest _reference = new(new ReferenceBackend());

    /// <summary>Numbers of rows that different kernels multiply: one tile of 8 rows, two, four, eight, and the tiles of many.</summary>
    [Theory]
    [InlineData("BF16", false, 67, 35, 96)]
    [InlineData("BF16", false, 130, 20, 328)]
    [InlineData("BF16", true, 131, 150, 100)]
    [InlineData("BF16", true, 260, 18, 1032)]
    [InlineData("F16", true, 129, 130, 40)]
    [InlineData("4 bits, groups of 64", true, 140, 133, 320)]
    [InlineData("4 bits, groups of 64, bf16 scales", true, 129, 18, 128)]
    [InlineData("4 bits, groups of 64, f32 scales", true, 129, 18, 64)]
    [InlineData("8 bits, groups of 64", true, 130, 130, 192)]
    [InlineData("fp8", true, 131, 144, 20)]
    [InlineData("fp8 blocks", true, 129, 18, 256)]
    public void Many_rows_have_the_bits_that_few_have(string kind, bool rounds, int rows, int outputs, int inputs)
    {
        var launcher = new CountingLauncher(Launcher());
        using var device = new BackendUnderTest(new IlgpuBackend(launcher, new IlgpuOptions { RoundsActivations = rounds }));
        var (load, x) = Layer(kind, rows, outputs, inputs);
        var weight = load(device.Backend);
        var actual = Multiply(device, weight, x);

        Assert.Contains(launcher.Launched, name => name.StartsWith("WarpTileLinear.", StringComparison.Ordinal));
        launcher.Launched.Clear();
        foreach (var few in (int[])[1, 7, 16, 31, 64])
        {
            Assert.Equal(actual[..(few * outputs)], Multiply(device, weight, x[..(few * inputs)]));
            Assert.Equal(actual[^(few * outputs)..], Multiply(device, weight, x[^(few * inputs)..]));
        }

        Assert.All(launcher.Launched, name => Assert.Matches(@"^(WarpLinear|SplitRows)\.", name));
        Near(load, x, actual, rounds, inputs);
        Assert.Equal("", _gpu.Text);
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public void Any_shape_is_as_near_to_the_reference_as_another(int seed)
    {
        var random = new Random(seed);
        int rows = random.Next(1, 200), outputs = random.Next(1, 200), inputs = random.Next(1, 150) * (seed % 2 == 0 ? 1 : 4);
        var rounds = random.Next(2) == 0;
        using var device = Device(rounds);
        var (load, x) = Layer("BF16", rows, outputs, inputs);
        var actual = Multiply(device, load(device.Backend), x);

        Near(load, x, actual, rounds, inputs);
        Assert.Equal(actual[..outputs], Multiply(device, load(device.Backend), x[..inputs]));
        Assert.Equal("", _gpu.Text);
    }

    /// <summary>What no instruction multiplies goes one way, too, however many rows there are.</summary>
    [Theory, InlineData("F32", true), InlineData("F16", false), InlineData("4 bits", false), InlineData("4 bits, act-order", true)]
    public void Other_weights_are_multiplied_in_fp32(string kind, bool rounds)
    {
        const int Rows = 130, Outputs = 130, Inputs = 64;
        var launcher = new CountingLauncher(Launcher());
        using var device = new BackendUnderTest(new IlgpuBackend(launcher, new IlgpuOptions { RoundsActivations = rounds }));
        var (load, x) = Layer(kind, Rows, Outputs, Inputs);
        var actual = Multiply(device, load(device.Backend), x);

        Near(load, x, actual, rounds: false, Inputs);
        Assert.Equal(actual[..Outputs], Multiply(device, load(device.Backend), x[..Inputs]));
        Assert.All(launcher.Launched, name => Assert.StartsWith("Linear.Multiply(", name));
    }

    [Theory]
    [InlineData("BF16", false, 3, 32, 24)]
    [InlineData("BF16", true, 16, 16, 40)]
    [InlineData("BF16", false, 2, 24, 24)]
    [InlineData("fp8", true, 11, 16, 36)]
    public void A_gated_layer_has_the_bits_of_layer_and_activation(string kind, bool rounds, int rows, int half, int inputs)
    {
        using var device = Device(rounds);
        var (load, values) = Layer(kind, rows, 2 * half, inputs);
        var weight = load(device.Backend);
        var x = device.Floats(values, rows, inputs);
        Tensor between = device.Empty(rows, 2 * half), output = device.Empty(rows, half), expected = device.Empty(rows, half);
        device.Backend.Linear(x, weight, between);
        device.Backend.GatedActivation(between, Activation.Silu, expected);
        device.Backend.GatedLinear(x, weight, Activation.Silu, between, output);

        Assert.Equal(device.Read(expected), device.Read(output));
    }

    [Theory, InlineData(3), InlineData(13)]
    public void A_router_with_the_choice_has_the_bits_of_one_after_the_other(int rows)
    {
        using var device = Device();
        Assert.Equal(RouterRun.Run(device, rows, asOne: false), RouterRun.Run(device, rows, asOne: true));
    }

    /// <summary>The bodies of the instructions have the hardware's layouts, so that both find the same.</summary>
    [Theory, InlineData(true, 9, 18, 36), InlineData(false, 66, 130, 32)]
    public void The_interpreter_multiplies_as_the_device_does(bool rounds, int rows, int outputs, int inputs)
    {
        using var device = Device(rounds);
        using var interpreter = new BackendUnderTest(new IlgpuBackend(
            new InterpreterLauncher(1L << 28, waves: 4, MatrixCores.Mma), new IlgpuOptions { RoundsActivations = rounds }));
        var (load, x) = Layer("BF16", rows, outputs, inputs);
        var expected = Multiply(device, load(device.Backend), x);
        var weight = load(interpreter.Backend);
        var actual = Multiply(interpreter, weight, x);

        Assert.Equal(expected, actual, (a, b) => Math.Abs(a - b) <= 1e-5);
        Assert.Equal(actual[..outputs], Multiply(interpreter, weight, x[..inputs]));
    }

    [Fact]
    public void A_processor_before_sm_80_gets_the_scalar_kernels()
    {
        using var gpu = FakeGpu.Cuda("sm_75");
        var launcher = new CountingLauncher(Launcher(gpu));
        using var device = new BackendUnderTest(new IlgpuBackend(launcher, new IlgpuOptions { RoundsActivations = true }));
        var (load, x) = Layer("BF16", 70, 18, 40);
        var actual = Multiply(device, load(device.Backend), x);

        Near(load, x, actual, rounds: false, 40);
        Assert.Equal(MatrixCores.None, launcher.MatrixCores);
        Assert.All(launcher.Launched, name => Assert.StartsWith("Linear.Multiply(", name));
        Assert.Equal("", gpu.Text);
    }

    /// <summary>So that the other tests would see it: without one of these a step is multiplied before it is there.</summary>
    [Theory]
    [InlineData("cp.async.wait_group 1;")]
    [InlineData("bar.sync\t0;")]
    public void A_step_that_is_not_waited_for_shows(string wait)
    {
        var (load, x) = Layer("BF16", 130, 130, 96);
        float[] Run(Func<string, string> edit)
        {
            using var device = new BackendUnderTest(
                new IlgpuBackend(Launcher(_gpu, edit), new IlgpuOptions { RoundsActivations = true }));
            return Multiply(device, load(device.Backend), x);
        }

        var whole = Run(text => text);
        var broken = Run(
            text => text.Contains("cp.async", StringComparison.Ordinal) ? text.Replace(wait, "", StringComparison.Ordinal) : text);

        Assert.DoesNotContain(float.NaN, whole);
        Assert.Contains(float.NaN, broken);
    }

    [Fact]
    public void Lanes_of_a_warp_that_do_not_come_to_an_instruction_show()
    {
        var (load, x) = Layer("BF16", 1, 16, 32);
        using var device = new BackendUnderTest(new IlgpuBackend(
            Launcher(_gpu, text => text.Replace(
                "mma.sync", "mov.b32 %r0, %tid.x;\n\tsetp.eq.s32 %p0, %r0, 5;\n\t@%p0 ret;\n\tmma.sync", StringComparison.Ordinal)),
            new IlgpuOptions()));
        _ = Multiply(device, load(device.Backend), x);

        Assert.Contains("lanes of a warp have not come to a matrix instruction together", _gpu.Text);
    }

    /// <summary>Eight lanes load 16 bytes at a time, and store so: of eight banks of 16 bytes each needs another.</summary>
    [Fact]
    public void Lanes_that_move_together_meet_in_no_bank()
    {
        var places = Enumerable.Range(0, Wave.Lanes).Select(lane => WarpTileLinear.PlaceOf(lane / 16, lane % 16)).ToArray();
        var loads = Enumerable.Range(0, WarpMatrix.Lanes).Select(lane => WarpTileLinear.PlaceOf(lane % 4, lane / 4)).ToArray();

        Assert.Equal(Enumerable.Range(0, Wave.Lanes), places.Order());
        Assert.Equal(
            Enumerable.Range(0, WarpMatrix.Lanes).Select(lane => WarpTileLinear.PlaceOf(lane % 4, lane / 4 + OutputSquare.Apart)),
            loads.Select(place => place + OutputSquare.Apart));
        Assert.All(places.Chunk(8).Concat(loads.Chunk(8)), eight => Assert.Equal(8, eight.Select(place => place % 8).Distinct().Count()));
    }

    public void Dispose()
    {
        _reference.Dispose();
        _gpu.Dispose();
    }

    private static float[] Multiply(BackendUnderTest device, LinearWeight weight, float[] x)
    {
        var output = device.Empty(x.Length / weight.InFeatures, weight.OutFeatures);
        device.Backend.Linear(device.Floats(x, output.Rows, weight.InFeatures), weight, output);
        return device.Read(output);
    }

    /// <param name="kind">A type, or how codes are made.</param>
    private static (Func<Backend, LinearWeight> Load, float[] X) Layer(string kind, int rows, int outputs, int inputs)
    {
        var random = new Random(outputs);
        float[] x = HostTensors.Random(random, rows * inputs), bias = HostTensors.Random(random, outputs);
        var codes = Enum.TryParse<DType>(kind, out var dtype) ? null : QuantizedMatrices.Random(kind, random, outputs, inputs);
        var plain = HostTensors.Random(random, outputs * inputs);
        HostTensor[] biases = [HostTensors.Of("b", DType.F32, bias, outputs)];
        return (
            backend => codes is null
                ? backend.LoadLinear("w", [HostTensors.Of("w", dtype, plain, outputs, inputs)], biases)
                : backend.LoadLinear("w", (QuantizedMatrix[])[codes], biases),
            x);
    }

    private static GpuLauncher Launcher(FakeGpu gpu, Func<string, string>? edit = null)
    {
        var device = CudaDevice.All([gpu.LibraryPath])[0];
        var images = new CudaImages(device.Target, KernelCache.OfEnvironment());
        return new GpuLauncher(
            new CudaDriver(device), edit is null ? images : new EditedImages(images, edit), device.MatrixCores);
    }

    private GpuLauncher Launcher() => Launcher(_gpu);

    private BackendUnderTest Device(bool rounds = false) =>
        new(new IlgpuBackend(Launcher(), new IlgpuOptions { RoundsActivations = rounds }));

    /// <summary>Rounded inputs and decoded codes are off by a bit of bf16 each.</summary>
    private void Near(Func<Backend, LinearWeight> load, float[] x, float[] actual, bool rounds, int inputs)
    {
        var tolerance = rounds ? 2e-2 * Math.Sqrt(inputs) : 2e-4;
        Assert.Equal(
            Multiply(_reference, load(_reference.Backend), x), actual, (expected, one) => Math.Abs(expected - one) <= tolerance);
    }
}
