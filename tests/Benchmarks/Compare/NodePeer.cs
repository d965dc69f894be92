using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Cluster.Benchmarks.Compare;

/// <summary>llama.cpp as the npm package node-llama-cpp brings it, driven by <c>peer.mjs</c> and served by <c>server.mjs</c>.</summary>
/// <param name="modules">The <c>node_modules</c> folder with the packages.</param>
internal sealed class NodePeer(string modules, string version) : IPeer
{
    private const string Package = "node-llama-cpp";
    private const string Binaries = "@node-llama-cpp/linux-x64";

    public string Description => $"llama.cpp of {Package} {version} (npm), batches given to llama_decode";

    /// <summary>Installs the packages, where they are not installed yet.</summary>
    /// <returns>The peer, or why it is not to be had.</returns>
    public static async Task<(NodePeer? Peer, string? WhyNot)> InstallAsync(string folder, CancellationToken cancellationToken)
    {
        if (CommandLine.Find("node") is null || CommandLine.Find("npm") is null)
        {
            return (null, "node and npm are not installed");
        }

        var modules = Path.Combine(folder, "node_modules");
        if (!Directory.Exists(Path.Combine(modules, Package)) || !Directory.Exists(Path.Combine(modules, Binaries)))
        {
            Directory.CreateDirectory(folder);

            // The binaries of GPUs are optional, large and of no use here.
            var install = await CommandLine.RunAsync(
                "npm",
                ["install", "--prefix", folder, "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts", "--omit=optional", Package,
                    Binaries],
                timeout: TimeSpan.FromMinutes(10),
                folder: folder);
            if (install.ExitCode != 0)
            {
                return (null, $"npm could not install {Package} and {Binaries}: {install.Error.Trim()}");
            }
        }

        var text = await File.ReadAllTextAsync(Path.Combine(modules, Package, "package.json"), cancellationToken);
        using var package = JsonDocument.Parse(text);
        return (new NodePeer(modules, package.RootElement.GetProperty("version").GetString()!), null);
    }

    public async Task<IPeerModel> OpenAsync(
        string file, int sequences, int context, int batch, int threads, CancellationToken cancellationToken)
    {
        var start = Script("peer.mjs", file, threads, sequences, context, batch);
        start.RedirectStandardError = false;
        var model = new NodeModel(Process.Start(start)!);
        try
        {
            await model.AnswerAsync(cancellationToken);
            return model;
        }
        catch
        {
            await model.DisposeAsync();
            throw;
        }
    }

    public async Task<ServerProcess?> ServeAsync(string file, int slots, int context, int threads, CancellationToken cancellationToken)
    {
        var port = FreePort.Next();
        return await ServerProcess.StartAsync(
            Script("server.mjs", file, threads, slots, context, port), new Uri($"http://127.0.0.1:{port}"), cancellationToken);
    }

    private ProcessStartInfo Script(string name, string file, params ReadOnlySpan<int> numbers)
    {
        var start = new ProcessStartInfo("node")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "Compare", name));
        start.ArgumentList.Add(modules);
        start.ArgumentList.Add(file);
        foreach (var number in numbers)
        {
            start.ArgumentList.Add(number.ToString(CultureInfo.InvariantCulture));
        }

        return start;
    }

    private sealed class NodeModel(Process process) : IPeerModel
    {
        public Task<double?> PrefillAsync(int tokens, CancellationToken cancellationToken) =>
            AskAsync(new { op = "prefill", tokens }, cancellationToken);

        public Task<double?> DecodeAsync(int sequences, int context, int steps, CancellationToken cancellationToken) =>
            AskAsync(new { op = "decode", sequences, context, steps }, cancellationToken);

        /// <summary>The next line of its own: others come from its libraries.</summary>
        public async Task<JsonElement> AnswerAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                var line = await process.StandardOutput.ReadLineAsync(cancellationToken)
                    ?? throw new IOException("the peer ended without an answer");
                if (!line.StartsWith('{'))
                {
                    continue;
                }

                using var document = JsonDocument.Parse(line);
                var answer = document.RootElement.Clone();
                return answer.TryGetProperty("error", out var error) ? throw new IOException($"the peer failed: {error}") : answer;
            }
        }

        public async ValueTask DisposeAsync()
        {
            process.StandardInput.Close();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            try
            {
                await process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
            }

            process.Dispose();
        }

        private async Task<double?> AskAsync(object request, CancellationToken cancellationToken)
        {
            await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(request).AsMemory(), cancellationToken);
            await process.StandardInput.FlushAsync(cancellationToken);
            return (await AnswerAsync(cancellationToken)).GetProperty("seconds").GetDouble();
        }
    }
}
