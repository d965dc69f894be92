using System.Globalization;
using Cluster.Benchmarks.Compare;
using Cluster.Benchmarks.Gateway;
using Cluster.Benchmarks.OpenCl;
using Cluster.Benchmarks.Scale;

namespace Cluster.Benchmarks;

/// <summary>Measurements that are too slow or too noisy for tests: <c>dotnet run --project tests/Benchmarks -c Release -- kernels</c>,
/// <c>compare</c>, <c>opencl</c>, <c>engine</c>, <c>sampling</c>, <c>collectives</c>, <c>tp</c>, <c>gateway</c>, <c>routing</c> or
/// <c>operator</c>.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] arguments)
    {
        switch (arguments)
        {
            case ["kernels"]:
                KernelBenchmark.Run(Environment.ProcessorCount);
                return 0;
            case ["kernels", "--threads", var count] when int.TryParse(count, out var threads) && threads > 0:
                KernelBenchmark.Run(threads);
                return 0;
            case ["compare", .. var rest]:
                return await Compare.CompareOptions.Command(CompareRun.RunAsync).Parse(rest).InvokeAsync();
            case ["opencl"]:
                return OpenClBenchmark.Run();
            case ["engine"]:
                await EngineBenchmark.RunAsync(SampleModel(), Environment.ProcessorCount);
                return 0;
            case ["engine", "--threads", var count] when int.TryParse(count, out var threads) && threads > 0:
                await EngineBenchmark.RunAsync(SampleModel(), threads);
                return 0;
            case ["sampling"]:
                SamplerBenchmark.Run();
                return 0;
            case ["operator"]:
                return await OperatorBenchmark.RunAsync([100, 300, 1000]);
            case ["operator", "--nodes", var list] when OperatorBenchmark.TryParseSizes(list, out var sizes):
                return await OperatorBenchmark.RunAsync(sizes);
            case ["gateway"]:
                await OverheadBenchmark.RunAsync();
                return 0;
            case ["routing"]:
                await RoutingBenchmark.RunAsync(4);
                return 0;
            case ["routing", "--replicas", var count] when int.TryParse(count, out var replicas) && replicas is > 0 and <= 16:
                await RoutingBenchmark.RunAsync(replicas);
                return 0;
            case ["tp"]:
                await TensorParallelBenchmark.RunAsync(SampleModel());
                return 0;
            case ["tp", "--model", var source]:
                await TensorParallelBenchmark.RunAsync(source);
                return 0;
            case ["collectives"]:
                CollectivesBenchmark.Run(2);
                return 0;
            case ["collectives", "--ranks", var count] when int.TryParse(count, out var ranks) && ranks > 1:
                CollectivesBenchmark.Run(ranks);
                return 0;
            case [CollectivesBenchmark.RankCommand, var path, var rank, var ranks]:
                CollectivesBenchmark.RunRank(
                    path, int.Parse(rank, CultureInfo.InvariantCulture), int.Parse(ranks, CultureInfo.InvariantCulture));
                return 0;
            default:
                Console.Error.WriteLine(
                    "usage: kernels [--threads N] | compare [--rows ID,…] [--runs N] [--threads N] [--work DIR] [--out FILE] | opencl | "
                    + "engine [--threads N] | sampling | collectives [--ranks N] | tp [--model MODEL] | gateway | "
                    + "routing [--replicas N] | operator [--nodes N,N,…]");
                return 2;
        }
    }

    /// <summary>haiku-1m in the repository this program was built in.</summary>
    private static string SampleModel()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var model = Path.Combine(folder.FullName, "deploy", "samples", "models", "haiku-1m");
            if (Directory.Exists(model))
            {
                return model;
            }
        }

        throw new DirectoryNotFoundException($"no folder above {AppContext.BaseDirectory} holds deploy/samples/models/haiku-1m");
    }
}
