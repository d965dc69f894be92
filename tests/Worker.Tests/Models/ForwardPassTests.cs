using Cluster.Worker.Models;
using Xunit;

namespace Cluster.Worker.Tests.Models;

/// <summary>What a step asks of a device, seen by a backend without data: nothing is read back, and steps of one shape are one list of operations.</summary>
public sealed class ForwardPassTests
{
    private static readonly ModelRunnerOptions Options = new() { MaxBatchedTokens = 64, MaxSequences = 4, MaxModelLength = 200 };

    [Theory]
    [InlineData("haiku-1m")]
    [InlineData("llama2")]
    [InlineData("llama3.1")]
    [InlineData("llama-tied")]
    public void A_prefill_is_a_fixed_list_of_operations(string name)
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), backend, Options);

        model.Runner.Launch(Batch((0, 20), (0, 5)));

        var layer = new[] { "RmsNorm", "Linear", "RopeAndCache", "PagedAttention", "Linear", "AddRmsNorm", "Linear", "GatedActivation", "Linear" };
        var laterLayers = layer.Select(operation => operation == "RmsNorm" ? "AddRmsNorm" : operation);
        var expected = Enumerable.Repeat("Upload", 7)
            .Append("Embed")
            .Concat(layer)
            .Concat(Enumerable.Repeat(laterLayers, model.Config.NumLayers - 1).SelectMany(operations => operations))
            .Concat(["AddRmsNorm", "GatherRows", "Linear"]);
        Assert.Equal(expected, backend.TakePass().Select(operation => operation[..operation.IndexOf('(')]));
    }

    [Fact]
    public void Decode_steps_of_one_shape_are_identical_operations_on_identical_buffers()
    {
        var backend = new RecordingBackend();
        using var model = ModelLoader.Load(Fixtures.Haiku, backend, Options);
        model.Runner.Launch(Batch((0, 20), (0, 40)));
        backend.TakePass();

        // Contexts of 41 to 64 tokens need 3 or 4 blocks: one width of the block table.
        var steps = Enumerable.Range(0, 24).Select(step =>
        {
            model.Runner.Launch(Batch((20 + step, 1), (40 + step, 1)));
            return backend.TakePass();
        }).ToList();

        Assert.All(steps, step => Assert.Equal(steps[0], step));
        model.Runner.Launch(Batch((44, 1), (64, 1)));
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

    [Fact]
    public void A_decode_step_allocates_nothing()
    {
        var backend = new RecordingBackend { DownloadedValue = 0, Recording = false };
        using var model = ModelLoader.Load(Fixtures.Haiku, backend, Options);
        var batch = Batch((20, 1), (40, 1), (7, 1));
        void Step()
        {
            model.Runner.Launch(batch);
            _ = model.Runner.WaitForLogits();
        }

        Step();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            Step();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
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

    /// <summary>Sequences that have <c>Computed</c> tokens in the cache and add <c>Count</c>; the last row of each wants logits.</summary>
    private static StepBatch Batch(params (int Computed, int Count)[] sequences)
    {
        const int maxBlocks = 13;
        var batch = new StepBatch
        {
            NumSequences = sequences.Length,
            NumLogits = sequences.Length,
            NumTokens = sequences.Sum(sequence => sequence.Count),
            MaxBlocks = maxBlocks,
            MaxQueryLength = sequences.Max(sequence => sequence.Count),
            MaxContextLength = sequences.Max(sequence => sequence.Computed + sequence.Count),
            QueryStarts = new int[sequences.Length + 1],
            ContextLengths = [.. sequences.Select(sequence => sequence.Computed + sequence.Count)],
            BlockTables = [.. Enumerable.Range(0, sequences.Length * maxBlocks)],
            Positions = [.. sequences.SelectMany(sequence => Enumerable.Range(sequence.Computed, sequence.Count))],
            LogitRows = new int[sequences.Length],
        };
        for (var i = 0; i < sequences.Length; i++)
        {
            batch.QueryStarts[i + 1] = batch.QueryStarts[i] + sequences[i].Count;
            batch.LogitRows[i] = batch.QueryStarts[i + 1] - 1;
        }

        batch.TokenIds = new int[batch.NumTokens];
        batch.SlotMapping = new int[batch.NumTokens];
        return batch;
    }
}
