using System.CommandLine;
using Cluster.Worker.Commands;
using Cluster.Worker.Startup;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Startup;

/// <summary>Without chunked prefill a budget that nobody chose becomes the model's length, as in vLLM.</summary>
public sealed class StepBudgetTests
{
    [Theory]
    [InlineData("", 2048)]
    [InlineData("--enable-chunked-prefill=false", 4096)]
    [InlineData("--enable-chunked-prefill=false --max-model-len 3000", 3000)]
    [InlineData("--enable-chunked-prefill=false --max-model-len 100", 2048)]
    [InlineData("--enable-chunked-prefill=false --max-num-batched-tokens 5000", 5000)]
    public async Task The_budget_is_the_length_where_nobody_chose_one(string options, int budget)
    {
        using var model = LongModel();
        var startup = Read(model.Path, options);
        var replica = ReplicaModel.Load(startup, new ModelFolders(model.Path), tokenizer: null, progress: null, _ => { });

        // The engine takes what the runner has, or refuses to start.
        await using var engine = replica.StartEngine(Cluster.Worker.Tokenization.Tokenizer.Load(model.Path), startup.Engine);

        Assert.Equal(budget, replica.Runner.MaxBatchedTokens);
    }

    [Fact]
    public void A_budget_that_was_chosen_bounds_the_length_and_is_told_with_its_option()
    {
        using var model = LongModel();
        var startup = Read(model.Path, "--enable-chunked-prefill=false --max-num-batched-tokens 512");
        var told = new List<string>();
        var replica = ReplicaModel.Load(startup, new ModelFolders(model.Path), tokenizer: null, progress: null, told.Add);
        using (replica.Runner)
        {
            Assert.Equal(512, startup.Engine.For(replica.Runner, replica.Runner.MaxModelLength).MaxNumBatchedTokens);
            Assert.Equal(512, replica.Runner.MaxModelLength);
            Assert.Contains(told, line => line.Contains("raise --max-num-batched-tokens", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_length_and_a_smaller_budget_that_were_both_chosen_are_told_with_their_options()
    {
        using var model = LongModel();
        var startup = Read(model.Path, "--enable-chunked-prefill=false --max-num-batched-tokens 512 --max-model-len 1000");
        var replica = ReplicaModel.Load(startup, new ModelFolders(model.Path), tokenizer: null, progress: null, _ => { });
        using (replica.Runner)
        {
            var error = Assert.Throws<ArgumentException>(
                () => startup.Engine.For(replica.Runner, replica.Runner.MaxModelLength));

            Assert.Contains("--max-num-batched-tokens is 512, the model's length 1000", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("", 256, 1024)]
    [InlineData("--max-concurrent-requests 300", 256, 44)]
    [InlineData("--max-concurrent-requests 5", 5, 0)]
    [InlineData("--max-concurrent-requests 5 --max-num-seqs 2", 2, 3)]
    public void Concurrent_requests_are_those_that_run_and_those_that_wait(string options, int running, int waiting)
    {
        var engine = Read("m", options).Engine;

        Assert.Equal((running, waiting), (engine.MaxNumSeqs, engine.MaxQueue));
    }

    private static StartupOptions Read(string model, string options)
    {
        var flags = new EngineFlags();
        var command = new RootCommand();
        flags.AddTo(command);
        var parsed = command.Parse($"--model {model} --cpu-threads 1 --max-num-seqs 4 --cpu-kvcache-space 0.05 {options}");
        parsed = options.Contains("concurrent", StringComparison.Ordinal) || options.Length == 0 && model == "m"
            ? command.Parse($"--model {model} {options}") : parsed;
        Assert.Empty(parsed.Errors);
        return StartupArguments.Read(flags, parsed);
    }

    /// <summary>The sample model, made for 4096 tokens.</summary>
    private static TemporaryFolder LongModel()
    {
        var folder = new TemporaryFolder();
        foreach (var file in Directory.EnumerateFiles(Fixtures.Haiku))
        {
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        }

        var config = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Haiku, "config.json")))!;
        config["max_position_embeddings"] = 4096;
        File.Delete(Path.Combine(folder.Path, "config.json"));
        folder.Write("config.json", config.ToJsonString());
        return folder;
    }
}
