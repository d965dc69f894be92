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
        var wait = backend.Allocate("wait", DType.F32, 1, 1);
        var one = new float[1];
        var worst = 0.0;
        foreach (var contest in Contests.All(backend, hand))
        {
            void Own()
            {
                contest.Own();
                backend.Download(wait, one);
            }

            Own();
            contest.ByHand();
            var times = Enumerable.Range(0, Runs).Select(_ => (Own: Seconds(Own), ByHand: Seconds(contest.ByHand))).ToArray();
            double own = Median(times.Select(time => time.Own)), byHand = Median(times.Select(time => time.ByHand));
            worst = Math.Max(worst, own / byHand);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{contest.Name,-34} ILGPU {own * 1e3,8:F3} ms   by hand {byHand * 1e3,8:F3} ms   ratio {own / byHand:F2}"));
        }

        return worst <= Most ? 0 : 1;
    }

    private static double Seconds(Action action)
    {
        var begin = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Runs / 2);
}
