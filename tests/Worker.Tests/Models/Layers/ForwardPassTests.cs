using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Models.Verification;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>What a step asks of a device, seen by a backend without data: nothing is read back, and steps of one shape are one list of
/// operations.</summary>
public sealed class ForwardPassTests
{
    /// <summary>Every architecture, by its golden.</summary>
    public static TheoryData<string> Names { get; } = [.. GoldenTests.Goldens.Select(row => row.Data.Item1)];

    private static readonly ModelRunnerOptions Options = new() { MaxBatchedTokens = 64, MaxSequences = 4, MaxModelLength = 200 };

    [Theory]
    [InlineData("haiku-1m", "Embed", "Norm Attention AddNorm GatedMlp", "")]
    [InlineData("llama2", "Embed", "Norm Attention AddNorm GatedMlp", "")]
    [InlineData("mistral", "Embed", "Norm Attention AddNorm GatedMlp", "")]
    [InlineData("qwen2", "Embed", "Norm Attention AddNorm GatedMlp", "")]
    [InlineData("qwen3", "Embed", "Norm HeadNormAttention AddNorm GatedMlp", "")]
    [InlineData("mixtral", "Embed", "Norm Attention AddNorm Experts", "")]
    [InlineData("qwen3-moe", "Embed", "Norm HeadNormAttention AddNorm Experts", "")]
    [InlineData("gemma2", "Embed Scale", "Norm Attention RmsNorm AddNorm GatedMlp RmsNorm", "SoftCap")]
    [InlineData("phi", "Embed", "Norm Attention PlainMlp Add", "")]
    [InlineData("bloom", "Embed LayerNorm", "Norm Attention AddNorm PlainMlp", "")]
    [InlineData("opt", "Embed AddEmbedding", "Norm Attention AddNorm PlainMlp", "")]
    [InlineData("granite", "Embed Scale", "Norm Attention Scale AddNorm GatedMlp Scale", "Scale")]
    [InlineData("gpt-neox", "Embed", "Norm Attention LayerNorm PlainMlp Add", "")]
    [InlineData("cohere", "Embed", "Norm LayerNormHeadsAttention GatedMlp Add", "Scale")]
    [InlineData("glm4", "Embed", "Norm Attention RmsNorm AddNorm GatedMlp RmsNorm", "")]
    [InlineData("hunyuan", "Embed", "Norm RotatedAttention AddNorm GatedMlp", "")]
    [InlineData("apertus", "Embed", "Norm HeadNormAttention AddNorm XieluMlp", "")]
    public void A_prefill_is_a_fixed_list_of_operations(string name, string before, string layer, string after)
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), backend, Options);

        model.Runner.Launch(Batch(model.Runner.KvGroups, (0, 20), (0, 5)));

        var norm = model.Config.Norm == NormKind.Rms ? "RmsNorm" : "LayerNorm";
        var firstLayer = Expand(layer, norm);
        string[] laterLayers = ["Add" + firstLayer[0], .. firstLayer[1..]];
        var expected = Enumerable.Repeat("Upload", 5 + 2 * model.Runner.KvGroups.Count)
            .Concat(Expand(before, norm))
            .Concat(firstLayer)
            .Concat(Enumerable.Repeat(laterLayers, model.Config.NumLayers - 1).SelectMany(operations => operations))
            .Concat(["Add" + norm, "GatherRows", "Linear"])
            .Concat(Expand(after, norm));
        Assert.Equal(expected, backend.TakePass().Select(operation => operation[..operation.IndexOf('(')]));
    }

    /// <summary>Each layer reads the sum itself, so that a sum shares no pass with a norm.</summary>
    [Fact]
    public void A_layer_that_normalizes_outputs_reads_the_residual_stream_itself()
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Checkpoint("olmo2"), backend, Options);

        model.Runner.Launch(Batch((0, 20), (0, 5)));

        string[] layer =
        [
            "Linear", "SumSquares", "SumSquares", "RmsScale", "RmsScale", "RopeAndCache", "PagedAttention", "Linear", "RmsNorm", "Add",
            "Linear", "GatedActivation", "Linear", "RmsNorm", "Add",
        ];
        var pass = backend.TakePass().Select(operation => operation[..operation.IndexOf('(')]).Skip(8).ToList();
        Assert.Equal([.. layer, .. layer, .. layer, .. layer[..^1]], pass[..^3]);
        Assert.Equal(["AddRmsNorm", "GatherRows", "Linear"], pass[^3..]);
    }

    [Theory, MemberData(nameof(Names))]
    public void Decode_steps_of_one_shape_are_identical_operations_on_identical_buffers(string name)
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), backend, Options);
        model.Runner.Launch(Batch(model.Runner.KvGroups, (0, 20), (0, 40)));
        backend.TakePass();

        // Contexts of 41 to 64 tokens need 3 or 4 blocks: one width of the block table.
        var steps = Enumerable.Range(0, 24).Select(step =>
        {
            model.Runner.Launch(Batch(model.Runner.KvGroups, (20 + step, 1), (40 + step, 1)));
            return backend.TakePass();
        }).ToList();

        Assert.All(steps, step => Assert.Equal(steps[0], step));
        model.Runner.Launch(Batch(model.Runner.KvGroups, (44, 1), (64, 1)));
        Assert.NotEqual(steps[0], backend.TakePass());
    }

    [Fact]
    public void A_step_that_wants_no_logits_computes_none()
    {
        var backend = new RecordingBackend { DownloadedValue = 0 };
        using var model = ModelLoader.Load(Fixtures.Haiku, backend, Options);
        var batch = Batch((0, 20));
        batch.NumLogits = 0;

        model.Runner.Launch(batch);

        Assert.True(model.Runner.WaitForLogits().IsEmpty);
        Assert.DoesNotContain(backend.TakePass(), operation => operation.StartsWith("GatherRows", StringComparison.Ordinal));
    }

    [Fact]
    public void Blocks_are_copied_before_any_layer_writes()
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Haiku, backend, Options);
        var batch = Batch((20, 1), (40, 1));
        batch.BlockCopies = [0, 5, 0, 6];
        batch.NumBlockCopies = 2;

        model.Runner.Launch(batch);

        var operations = backend.TakePass().Select(operation => operation[..operation.IndexOf('(')]).ToList();
        Assert.Equal([.. Enumerable.Repeat("Upload", 8), "CopyKvBlocks", "Embed"], operations[..10]);
        Assert.Single(operations, "CopyKvBlocks");
    }

    [Fact]
    public void Only_waiting_for_logits_downloads()
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Haiku, backend, Options);

        model.Runner.Launch(Batch((0, 20), (0, 5)));

        Assert.Equal(0, backend.Downloads);
        Assert.Throws<InvalidOperationException>(() => model.Runner.WaitForLogits().Length);
        backend.DownloadedValue = 3;
        Assert.Equal(2 * model.Config.VocabSize, model.Runner.WaitForLogits().Length);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_decode_step_allocates_nothing(string name)
    {
        var backend = new RecordingBackend { DownloadedValue = 0, Recording = false };
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), backend, Options);
        var batch = Batch(model.Runner.KvGroups, (20, 1), (40, 1), (7, 1));
        void Step()
        {
            model.Runner.Launch(batch);
            _ = model.Runner.WaitForLogits();
        }

        Step();
        Assert.Equal(0, Allocations.Least(() =>
        {
            for (var i = 0; i < 100; i++)
            {
                Step();
            }
        }));
    }

    [Fact]
    public void A_fused_layer_stacks_query_key_and_value_rows()
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Checkpoint("llama3.1"), backend, Options);

        model.Runner.Launch(Batch((0, 3)));

        var operations = backend.TakePass();
        Assert.Contains("Linear(normed#1:F32[3,64], model.layers.0.qkv[128,64], qkv#3:F32[3,128])", operations);
        Assert.Contains("Linear(normed#1:F32[3,64], model.layers.2.gate_up[320,64], gate_up#5:F32[3,320])", operations);
    }

    [Theory]
    [InlineData(65, 1, 1, "tokens")]
    [InlineData(5, 5, 1, "sequences")]
    [InlineData(5, 1, 5, "logits")]
    public void A_batch_beyond_the_runners_limits_is_refused(int tokens, int sequences, int logits, string named)
    {
        using var model = ModelLoader.Load(Fixtures.Haiku, new RecordingBackend(), Options);
        var batch = Batch((0, tokens));
        batch.NumSequences = sequences;
        batch.NumLogits = logits;

        var error = Assert.Throws<ArgumentOutOfRangeException>(() => model.Runner.Launch(batch));

        Assert.Contains(named, error.Message);
    }

    [Fact]
    public void Waiting_without_a_step_is_refused()
    {
        using var model = ModelLoader.Load(Fixtures.Haiku, new RecordingBackend(), Options);

        Assert.Throws<InvalidOperationException>(() => model.Runner.WaitForLogits().Length);
    }

    [Fact]
    public void Routing_to_experts_stays_on_the_device()
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Checkpoint("qwen3-moe"), backend, Options);

        model.Runner.Launch(Batch((0, 3)));

        string[] expected =
        [
            "Linear(normed#1:F32[3,64], model.layers.1.mlp.gate[4,64], router_logits#9:F32[3,4])",
            "RouteToExperts(router_logits#9:F32[3,4], SoftmaxOfChosen, none, chosen_experts#10:I32[3,2], expert_weights#11:F32[3,2])",
            "ExpertLinear(normed#1:F32[3,64], chosen_experts#10:I32[3,2], model.layers.1.experts.gate_up[4,96,64], "
            + "expert_gate_up#12:F32[6,96])",
            "GatedActivation(expert_gate_up#12:F32[6,96], Silu, expert_activated#13:F32[6,48])",
            "ExpertLinear(expert_activated#13:F32[6,48], chosen_experts#10:I32[3,2], model.layers.1.experts.down[4,64,48], "
            + "expert_outputs#14:F32[6,64])",
            "SumExperts(expert_outputs#14:F32[6,64], expert_weights#11:F32[3,2], delta#2:F32[3,64])",
        ];
        var pass = backend.TakePass().ToList();
        Assert.Equal(expected, pass.GetRange(pass.IndexOf(expected[0]), expected.Length));
    }

    [Fact]
    public void Windows_and_caps_of_each_layer_reach_attention()
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Checkpoint("gemma2"), backend, Options);

        model.Runner.Launch(Batch(model.Runner.KvGroups, (0, 3)));

        var settings = new AttentionSettings(4, 0.25f, 16, 50);
        var attention = backend.TakePass().Where(operation => operation.StartsWith("PagedAttention", StringComparison.Ordinal)).ToList();
        Assert.Equal(3, attention.Count);
        Assert.Contains($"layer 0, {settings},", attention[0]);
        Assert.Contains($"layer 0, {settings with { SlidingWindow = 0 }},", attention[1]);
        Assert.Contains($"layer 0, {settings},", attention[2]);

        // A group each, with a block table of its own.
        static string Table(string operation) => operation[operation.IndexOf("block_tables", StringComparison.Ordinal)..].Split(':')[0];
        Assert.Equal(3, attention.Select(Table).Distinct().Count());
    }

    private static string[] Expand(string parts, string norm) =>
        [.. parts.Split(' ', StringSplitOptions.RemoveEmptyEntries).SelectMany(part => part switch
    {
        "Norm" or "AddNorm" => [part.Replace("Norm", norm, StringComparison.Ordinal)],
        "Attention" => ["Linear", "RopeAndCache", "PagedAttention", "Linear"],
        "HeadNormAttention" => ["Linear", "RmsNormHeads", "RmsNormHeads", "RopeAndCache", "PagedAttention", "Linear"],
        "LayerNormHeadsAttention" =>
            ["Linear", "LayerNormHeads", "LayerNormHeads", "RopeAndCache", "PagedAttention", "Linear"],
        "RotatedAttention" => ["Linear", "Rotate", "RmsNormHeads", "RmsNormHeads", "RopeAndCache", "PagedAttention", "Linear"],
        "XieluMlp" => ["Linear", "Xielu", "Linear"],
        "GatedMlp" => ["Linear", "GatedActivation", "Linear"],
        "PlainMlp" => ["Linear", "Activate", "Linear"],
        "Experts" => ["Linear", "RouteToExperts", "ExpertLinear", "GatedActivation", "ExpertLinear", "SumExperts"],
        _ => new[] { part },
    })];

    /// <summary>Sequences that have <c>Computed</c> tokens in the cache and add <c>Count</c>; the last row of each wants logits.</summary>
    private static StepBatch Batch(params (int Computed, int Count)[] sequences) => Batch(KvGroups.One, sequences);

    internal static StepBatch Batch(KvGroups groups, params (int Computed, int Count)[] sequences)
    {
        const int MaxBlocks = 13;
        var batch = new StepBatch
        {
            NumGroups = groups.Count,
            NumSequences = sequences.Length,
            NumLogits = sequences.Length,
            NumTokens = sequences.Sum(sequence => sequence.Count),
            MaxBlocks = MaxBlocks,
            MaxQueryLength = sequences.Max(sequence => sequence.Count),
            MaxContextLength = sequences.Max(sequence => sequence.Computed + sequence.Count),
            QueryStarts = new int[sequences.Length + 1],
            ContextLengths = [.. sequences.Select(sequence => sequence.Computed + sequence.Count)],
            BlockTables = [.. Enumerable.Range(0, groups.Count * sequences.Length * MaxBlocks)],
            Positions = [.. sequences.SelectMany(sequence => Enumerable.Range(sequence.Computed, sequence.Count))],
            LogitRows = new int[sequences.Length],
        };
        for (var i = 0; i < sequences.Length; i++)
        {
            batch.QueryStarts[i + 1] = batch.QueryStarts[i] + sequences[i].Count;
            batch.LogitRows[i] = batch.QueryStarts[i + 1] - 1;
        }

        batch.TokenIds = new int[batch.NumTokens];
        batch.SlotMapping = new int[groups.Count * batch.NumTokens];
        return batch;
    }
}
