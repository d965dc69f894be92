using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;

namespace Cluster.Benchmarks.OpenCl;

/// <summary>ILGPU's code against hand-written OpenCL C of the same algorithms on the first OpenCL device: turn about in one run, the median
/// of five. A ratio above <see cref="Most"/> says that a kernel has got slower, whatever the machine.</summary>
internal static class OpenClBenchmark
{
    private const double Most = 1.5;
    private const int Runs = 5;
    private const int Features = 2048;

    /// <returns>1 where a kernel takes too long.</returns>
    public static int Run()
    {
        if (OpenClDevice.All() is not [var device, ..])
        {
            Console.Error.WriteLine("there is no OpenCL device");
            return 2;
        }

        Console.WriteLine($"{device.Description}; medians of {Runs}, turn about");
        using var backend = new IlgpuBackend(new OpenClLauncher(device, KernelCache.OfEnvironment()), new IlgpuOptions());
        var hand = new HandWritten(device, File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "OpenCl", "hand.cl")));
        var worst = 0.0;
        void Compare(string name, Action own, Action other)
        {
            own();
            other();
            var times = Enumerable.Range(0, Runs).Select(_ => (Own: Seconds(own), Other: Seconds(other))).ToArray();
            double own5 = Median(times.Select(time => time.Own)), other5 = Median(times.Select(time => time.Other));
            worst = Math.Max(worst, own5 / other5);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name,-28} ILGPU {own5 * 1e3,8:F3} ms   by hand {other5 * 1e3,8:F3} ms   ratio {own5 / other5:F2}"));
        }

        Tensor Floats(int rows, int columns) => backend.Allocate("floats", DType.F32, rows, columns);
        var wait = Floats(1, 1);
        var one = new float[1];
        void Finish() => backend.Download(wait, one);
        var weight = Weight(backend);
        var codes = hand.Allocate(2L * Features * Features);
        foreach (var rows in (int[])[1, 4, 16, 64])
        {
            Tensor x = Floats(rows, Features), y = Floats(rows, Features);
            var rowWaves = rows <= 4 ? 1 : 4;
            Compare(
                $"linear bf16 {Features}x{Features} x{rows}",
                () =>
                {
                    backend.Linear(x, weight, y);
                    Finish();
                },
                hand.Prepare(
                    "linear", 4, Features / 64 / (4 / rowWaves), (rows + 4 * rowWaves - 1) / (4 * rowWaves),
                    [hand.Allocate(4L * rows * Features), codes, hand.Allocate(4L * rows * Features)], rows, Features, Features, rowWaves));
        }

        const int Rows = 256;
        Tensor wide = Floats(Rows, 2 * Features), narrow = Floats(Rows, Features), scales = Floats(1, Features);
        Compare(
            $"silu and gate {Rows}x{Features}",
            () =>
            {
                backend.GatedActivation(wide, Activation.Silu, narrow);
                Finish();
            },
            hand.Prepare(
                "gate", 1, Features / 256, Rows, [hand.Allocate(8L * Rows * Features), hand.Allocate(4L * Rows * Features)], Features));
        Compare(
            $"rms norm {Rows}x{Features}",
            () =>
            {
                backend.RmsNorm(narrow, scales, 1e-5f, narrow);
                Finish();
            },
            hand.Prepare(
                "rms", 4, Rows, 1, [hand.Allocate(4L * Rows * Features), hand.Allocate(4L * Features), hand.Allocate(4L * Rows * Features)],
                Features, 1e-5f));
        return worst <= Most ? 0 : 1;
    }

    /// <summary>Zeros: multiplying them takes the same time.</summary>
    private static unsafe LinearWeight Weight(IlgpuBackend backend)
    {
        var bytes = GC.AllocateArray<byte>(Features * Features * DType.BF16.Size(), pinned: true);
        fixed (byte* address = bytes)
        {
            return backend.LoadLinear(
                "w", [new HostTensor("w", DType.BF16, ImmutableArray.Create(Features, Features), (nint)address, bytes)]);
        }
    }

    private static double Seconds(Action action)
    {
        var begin = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Runs / 2);
}
