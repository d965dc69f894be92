using System.Diagnostics;
using System.Globalization;

namespace Cluster.Benchmarks.Compare;

/// <summary>llama.cpp's own programs in a folder (<see cref="CompareOptions.BinariesVariable"/>): <c>llama-bench</c> times prompts and
/// single sequences, <c>llama-batched-bench</c> several, <c>llama-server</c> serves. Each measurement loads the model anew, outside what
/// is timed.</summary>
internal sealed class BinaryPeer(string folder) : IPeer
{
    private const string Bench = "llama-bench";
    private const string BatchedBench = "llama-batched-bench";
    private const string Server = "llama-server";

    public string Description => $"llama.cpp in {folder}: {string.Join(", ", new[] { Bench, BatchedBench, Server }.Where(Has))}";

    /// <returns>The peer, or why it is not to be had.</returns>
    public static (BinaryPeer? Peer, string? WhyNot) In(string folder)
    {
        var peer = new BinaryPeer(folder);
        return peer.Has(Bench) || peer.Has(Server)
            ? (peer, null)
            : (null, $"{CompareOptions.BinariesVariable} is {folder}, which has neither {Bench} nor {Server}");
    }

    public Task<IPeerModel> OpenAsync(
        string file, int sequences, int context, int batch, int threads, CancellationToken cancellationToken) =>
        Task.FromResult<IPeerModel>(new BinaryModel(this, file, context * sequences, threads));

    public async Task<ServerProcess?> ServeAsync(string file, int slots, int context, int threads, CancellationToken cancellationToken)
    {
        if (!Has(Server))
        {
            return null;
        }

        var port = FreePort.Next();
        string[] arguments =
        [
            "-m", file, "--host", "127.0.0.1", "--port", Text(port), "-np", Text(slots), "-c", Text(slots * context), "-t", Text(threads),
        ];
        var start = new ProcessStartInfo(Path.Combine(folder, Server), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return await ServerProcess.StartAsync(start, new Uri($"http://127.0.0.1:{port}"), cancellationToken);
    }

    private bool Has(string program) => File.Exists(Path.Combine(folder, program));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private async Task<string?> RunAsync(string program, params string[] arguments)
    {
        if (!Has(program))
        {
            return null;
        }

        var result = await CommandLine.RunAsync(Path.Combine(folder, program), arguments, timeout: TimeSpan.FromMinutes(10));
        return result.ExitCode == 0
            ? result.Output
            : throw new IOException($"{program} ended with {result.ExitCode}: {result.Error.Trim()}");
    }

    private sealed class BinaryModel(BinaryPeer peer, string file, int cells, int threads) : IPeerModel
    {
        public async Task<double?> PrefillAsync(int tokens, CancellationToken cancellationToken) =>
            await peer.RunAsync(
                Bench, "-m", file, "-p", Text(tokens), "-n", "0", "-ub", Text(tokens), "-b", Text(tokens), "-t", Text(threads), "-r", "1",
                "-o", "json") is { } output
                ? tokens / LlamaOutput.BenchRate(output)
                : null;

        public async Task<double?> DecodeAsync(int sequences, int context, int steps, CancellationToken cancellationToken)
        {
            if (sequences == 1)
            {
                return await peer.RunAsync(
                    Bench, "-m", file, "-p", "0", "-n", Text(steps), "-d", Text(context), "-t", Text(threads), "-r", "1", "-o", "json")
                    is { } single
                    ? 1 / LlamaOutput.BenchRate(single)
                    : null;
            }

            return await peer.RunAsync(
                BatchedBench, "-m", file, "-c", Text(cells), "-npp", Text(context), "-ntg", Text(steps), "-npl", Text(sequences), "-t",
                Text(threads), "--output-format", "jsonl") is { } output
                ? sequences / LlamaOutput.BatchedRate(output)
                : null;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
