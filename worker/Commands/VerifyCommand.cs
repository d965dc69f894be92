using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models;

namespace Cluster.Worker.Commands;

/// <summary><c>verify</c>: does this build compute what the reference computed? Exit code 0 if so, 1 if not.</summary>
internal static class VerifyCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Folder with the checkpoint.", Required = true, HelpName = "DIR" };
        var golden = new Option<string?>("--golden") { Description = "Reference: safetensors with input_ids and logits or greedy_ids.", HelpName = "FILE" };
        var perplexity = new Option<string?>("--perplexity") { Description = "Reference text: JSON with perplexity.input_ids, .window and .value.", HelpName = "FILE" };
        var tolerance = new Option<float>("--tolerance") { Description = "Largest difference of a logit that passes.", DefaultValueFactory = _ => 2e-3f, HelpName = "T" };
        var perplexityTolerance = new Option<double>("--perplexity-tolerance") { Description = "Largest difference of the perplexity that passes, as a fraction of the reference. Default: equal to four decimals.", HelpName = "FRACTION" };
        var kvCacheDType = EngineFlags.KvCacheDTypeOption();
        var chunk = new Option<int?>("--chunk") { Description = "Prefill in chunks of this many tokens. Default: whole prompts.", HelpName = "TOKENS" };
        var threads = new Option<int?>("--cpu-threads") { Description = "Threads of the CPU device. Default: one a processor.", HelpName = "N" };
        var command = new Command("verify", "Runs a checkpoint on reference inputs, through the paged engine path, and compares.") { model, golden, perplexity, tolerance, perplexityTolerance, kvCacheDType, chunk, threads };
        command.Validators.Add(result =>
        {
            if (result.GetValue(golden) is null && result.GetValue(perplexity) is null)
            {
                result.AddError("verify needs --golden FILE or --perplexity FILE to compare with");
            }

            if (result.GetResult(chunk) is { } given && given.Tokens.Count == 1 && int.TryParse(given.Tokens[0].Value, CultureInfo.InvariantCulture, out var size) && size < 1)
            {
                result.AddError($"--chunk {size}: must be at least 1");
            }
        });
        command.SetAction(arguments =>
        {
            Func<Backend> backend = () => new CpuBackend(new CpuOptions { Threads = arguments.GetValue(threads) ?? Environment.ProcessorCount });
            var cache = EngineFlags.KvCacheDTypeOf(arguments.GetValue(kvCacheDType)!);
            var passed = true;
            if (arguments.GetValue(golden) is { } goldenFile)
            {
                passed &= Golden(arguments.GetRequiredValue(model), goldenFile, backend, arguments.GetValue(tolerance), arguments.GetValue(chunk), cache);
            }

            if (arguments.GetValue(perplexity) is { } perplexityFile)
            {
                passed &= Perplex(arguments.GetRequiredValue(model), perplexityFile, backend, arguments.GetValue(perplexityTolerance), cache);
            }

            return passed ? 0 : 1;
        });
        return command;
    }

    private static bool Golden(string folder, string file, Func<Backend> backend, float tolerance, int? chunk, DType cache)
    {
        var result = GoldenVerification.Verify(folder, GoldenFile.Open(file), backend, tolerance, chunk, cache);
        Console.WriteLine(result);
        return result.Passes(tolerance);
    }

    /// <param name="tolerance">Fraction of the reference; 0 means that both must print the same four decimals.</param>
    private static bool Perplex(string folder, string file, Func<Backend> backend, double tolerance, DType cache)
    {
        int[] ids;
        int window;
        double expected;
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            var reference = document.RootElement.GetProperty("perplexity");
            ids = [.. reference.GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt32())];
            window = reference.GetProperty("window").GetInt32();
            expected = reference.GetProperty("value").GetDouble();
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new CommandFailure($"{file}: expected an object 'perplexity' with input_ids, window and value: {exception.Message}", exception);
        }

        var options = new ModelRunnerOptions { MaxBatchedTokens = window, MaxSequences = 1, MaxLogits = window, MaxModelLength = window, KvCacheDType = cache };
        using var loaded = ModelLoader.Load(folder, backend(), options);
        var actual = Perplexity.Evaluate(loaded.Runner, ids, window);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"perplexity={actual:F5} expected={expected:F5}"));
        return Math.Abs(actual - expected) < Math.Max(5e-5, tolerance * expected);
    }
}
