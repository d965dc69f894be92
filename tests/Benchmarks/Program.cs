namespace Cluster.Benchmarks;

/// <summary>Measurements that are too slow or too noisy for tests: <c>dotnet run --project tests/Benchmarks -c Release -- kernels</c>.</summary>
internal static class Program
{
    public static int Main(string[] arguments)
    {
        switch (arguments)
        {
            case ["kernels"]:
                KernelBenchmark.Run(Environment.ProcessorCount);
                return 0;
            case ["kernels", "--threads", var count] when int.TryParse(count, out var threads) && threads > 0:
                KernelBenchmark.Run(threads);
                return 0;
            default:
                Console.Error.WriteLine("usage: kernels [--threads N]");
                return 2;
        }
    }
}
