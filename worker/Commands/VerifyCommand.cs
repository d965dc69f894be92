using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary><c>verify</c>: does this build compute what the reference computed? Exit code 0 if so, 1 if not.</summary>
internal static class VerifyCommand
{
    /// <summary>A rank that computes nothing for so long is taken for lost: far longer than a step takes on a machine that is busy with
    /// other things.</summary>
    private static readonly TimeSpan RankTimeout = TimeSpan.FromMinutes(2);

    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Folder with the checkpoint.", Required = true, HelpName = "DIR" };
        var golden = new Option<string?>("--golden")
        {
            Description = "Reference: safetensors with input_ids and logits or greedy_ids.",
            HelpName = "FILE"
        };
        var perplexity = new Option<string?>("--perplexity")
        {
            Description = "Reference text: JSON with perplexity.input_ids, .window and .value.",
            HelpName = "FILE"
        };
        var tolerance = new Option<float>("--tolerance")
        {
            Description = "Maximum difference between a logit and its reference.",
            DefaultValueFactory = _ => 2e-3f,
            HelpName = "T"
        };
        var perplexityTolerance = new Option<double>("--perplexity-tolerance")
        {
            Description =
                "Maximum difference between the perplexity and its reference, as a fraction of the reference. Default: equal to four "
                + "decimals.",
            HelpName = "FRACTION"
        };
        var quantization = WorkerFlags.Quantization.Words();
        var kvCacheDType = EngineFlags.KvCacheDTypeOption();
        var device = EngineFlags.DeviceOption();
        var chunk = new Option<int?>("--chunk")
        {
            Description = "Prefill in chunks of this many tokens. Default: whole prompts.",
            HelpName = "TOKENS"
        };
        var threads = new Option<int?>("--cpu-threads")
        {
            Description = "Number of CPU threads. Default: one per processor.",
            HelpName = "N"
        };
        var ranks = EngineFlags.Positive(
            "--tensor-parallel-size",
            "Number of tensor-parallel ranks: threads of this process, each with a share of its processors and memory.", 1, "-tp");
        var command = new Command("verify", "Runs a checkpoint on reference inputs, through the paged engine path, and compares.")
        {
            model,
            golden,
            perplexity,
            tolerance,
            perplexityTolerance,
            quantization,
            kvCacheDType,
            chunk,
            device,
            threads,
            ranks
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(golden) is null && result.GetValue(perplexity) is null)
            {
                result.AddError("verify needs --golden FILE or --perplexity FILE to compare with");
            }

            if (result.GetResult(chunk) is { } given
                && given.Tokens.Count == 1
                && int.TryParse(given.Tokens[0].Value, CultureInfo.InvariantCulture, out var size)
                && size < 1)
            {
                result.AddError($"--chunk {size}: must be at least 1");
            }
        });
        command.SetAction(arguments =>
        {
            var size = arguments.GetValue(ranks);

            // References are computed in float32: auto keeps to that on every device.
            var cache = EngineFlags.KvCacheDTypeOf(arguments.GetValue(kvCacheDType)!) ?? DType.F32;
            var backends = BackendFactory.For(
                new DeviceOptions(arguments.GetValue(device)!) { CpuThreads = arguments.GetValue(threads), KvCacheDType = cache }, size);
            var told = false;
            RunnerLoader load = (config, weights, limits) =>
            {
                limits = limits with { Quantization = arguments.GetValue(quantization)! };

                // A golden file may take two attempts, which differ in no weight.
                var runner = Load(config, weights, limits, backends, size, told ? _ => { } : Console.WriteLine);
                told = true;
                return runner;
            };
            var passed = true;
            if (arguments.GetValue(golden) is { } goldenFile)
            {
                passed &= Golden(
                    arguments.GetRequiredValue(model), goldenFile, load, arguments.GetValue(tolerance), arguments.GetValue(chunk), cache);
            }

            if (arguments.GetValue(perplexity) is { } perplexityFile)
            {
                passed &= Perplex(arguments.GetRequiredValue(model), perplexityFile, load, arguments.GetValue(perplexityTolerance), cache);
            }

            return passed ? 0 : 1;
        });
        return command;
    }

    private static IModelRunner Load(
        ModelConfig config, WeightSource weights, ModelRunnerOptions limits, BackendFactory backends, int ranks, Action<string> log)
    {
        if (ranks == 1)
        {
            return ModelLoader.Load(config, weights, backends.Create(), limits).Runner;
        }

        try
        {
            // Refused before a thread or a buffer is made for each of them.
            _ = Shard.Of(config, rank: 0, ranks);
            var model = TensorParallelModel.Load(
                config, weights, ThreadCommunicator.CreateGroup(ranks, RankTimeout), backends.Create, limits);
            for (var rank = 0; rank < ranks; rank++)
            {
                log(model.Ranks[rank].Describe(rank, ranks));
            }

            return model.Runner;
        }
        catch (ArgumentException exception)
        {
            throw new CommandFailure(exception.Message, exception);
        }
    }

    private static bool Golden(string folder, string file, RunnerLoader load, float tolerance, int? chunk, DType cache)
    {
        var result = GoldenVerification.Verify(folder, GoldenFile.Open(file), load, tolerance, chunk, cache);
        Console.WriteLine(result);
        return result.Passes(tolerance);
    }

    /// <param name="tolerance">Fraction of the reference; 0 means that both must print the same four decimals.</param>
    private static bool Perplex(string folder, string file, RunnerLoader load, double tolerance, DType cache)
    {
        int[] ids;
        int window;
        double expected;
        try
        {
            using var document = JsonDocument.Parse(RegularFile.ReadBytes(file, FileKind.Golden with { MaxBytes = 1 << 30 }));
            var reference = document.RootElement.GetProperty("perplexity");
            ids = [.. reference.GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt32())];
            window = reference.GetProperty("window").GetInt32();
            expected = reference.GetProperty("value").GetDouble();
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new CommandFailure(
                $"{file}: expected an object 'perplexity' with input_ids, window and value: {exception.Message}", exception);
        }

        var options = new ModelRunnerOptions
        {
            MaxBatchedTokens = window,
            MaxSequences = 1,
            MaxLogits = window,
            MaxModelLength = window,
            KvCacheDType = cache,
            SampleOnDevice = false
        };
        var (config, weights) = ModelLoader.Open(folder);
        using var runner = load(config, weights, options);
        var actual = Perplexity.Evaluate(runner, ids, window);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"perplexity={actual:F5} expected={expected:F5}"));
        return Math.Abs(actual - expected) < Math.Max(5e-5, tolerance * expected);
    }
}
