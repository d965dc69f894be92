using System.Reflection;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Models with windows of 16 tokens, scheduled with little memory: free blocks are full of NaN at every step, and logits have the
/// bits that the whole text gives in one step, in which nothing is freed.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class FreedBlocksTests
{
    private const int MaxLength = 220;

    /// <summary>A step with logits at every <see cref="Sequence.Length"/> a sequence had.</summary>
    private readonly Dictionary<Sequence, Dictionary<int, float[]>> _rows = [];

    [Theory]
    [InlineData("gemma2", "cpu", false)]
    [InlineData("gemma2", "cpu", true)]
    [InlineData("gemma2", "reference", false)]
    [InlineData("mistral", "cpu", false)]
    [InlineData("mistral", "cpu", true)]
    [InlineData("mistral", "reference", false)]
    public void Nobody_reads_a_block_that_was_given_back(string name, string device, bool caching)
    {
        var options = new ModelRunnerOptions
        {
            MaxBatchedTokens = 24,
            MaxSequences = 4,
            MaxModelLength = MaxLength,
            SampleOnDevice = false,
        };
        var groups = KvGroups.Of(ModelConfig.Load(Fixtures.Checkpoint(name)));
        options = options with { NumBlocks = (int)groups.BlocksFor(MaxLength, options.MaxBatchedTokens, options.BlockSize) + 2 };
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), Backend(device), options);
        var pool = new BlockPool(model.Runner.NumBlocks, model.Runner.BlockSize);
        var scheduler = new Scheduler(pool, caching ? new BlockHasher(1, 2) : null, 4, 24, true, groups: groups);
        var random = new Random(7);
        var shared = Tokens(random, 150, model.Runner.VocabSize);
        for (var i = 0; i < 7; i++)
        {
            scheduler.Add(new Sequence([.. shared.AsSpan(0, 20 * i), .. Tokens(random, random.Next(1, 50), model.Runner.VocabSize)]));
        }

        var poison = caching ? null : new Poison(model.Runner, pool);
        while (scheduler.HasWork)
        {
            var batch = scheduler.Plan();
            poison?.Fill();
            model.Runner.Launch(batch);
            Advance(scheduler, model.Runner.WaitForLogits(), model.Runner.VocabSize);
        }

        Assert.True(caching ? scheduler.NumPrefixHits > 0 : scheduler.NumPreemptions > 0, "memory was not short, or too short for hits");
        Assert.Equal(pool.NumBlocks, pool.NumFree);
        AssertSameBits(name, device);
    }

    private static Backend Backend(string device) => device == "cpu" ? CpuBackend.Create(new CpuOptions()) : new ReferenceBackend();

    private static int[] Tokens(Random random, int count, int vocabSize) =>
        [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabSize))];

    /// <summary>Appends the likeliest tokens; some sequences fork, and the fork goes on with another.</summary>
    private void Advance(Scheduler scheduler, ReadOnlySpan<float> logits, int vocabSize)
    {
        foreach (var entry in scheduler.Scheduled.ToArray())
        {
            if (entry.LogitIndex < 0)
            {
                continue;
            }

            var sequence = entry.Sequence;
            var row = logits.Slice(entry.LogitIndex * vocabSize, vocabSize);
            _rows.TryAdd(sequence, []);
            _rows[sequence][sequence.Length] = row.ToArray();
            if (sequence.CompletionLength == 25)
            {
                scheduler.Finish(sequence);
                continue;
            }

            var token = row.IndexOf(row.ToArray().Max());
            if (sequence.CompletionLength == 3 && _rows.Count % 2 == 0)
            {
                var fork = sequence.Fork();
                scheduler.Fork(sequence, fork);
                fork.Append((token + 1) % vocabSize);
            }

            sequence.Append(token);
        }
    }

    private void AssertSameBits(string name, string device)
    {
        var options = new ModelRunnerOptions
        {
            MaxBatchedTokens = MaxLength,
            MaxLogits = MaxLength,
            MaxSequences = 1,
            MaxModelLength = MaxLength,
            SampleOnDevice = false,
        };
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), Backend(device), options);
        foreach (var (sequence, rows) in _rows)
        {
            var whole = new PackedSequences(model.Runner, 1, sequence.Length);
            whole.Add(0, sequence.Tokens);
            var logits = whole.Run();
            foreach (var (length, row) in rows)
            {
                Assert.True(logits.Slice((length - 1) * row.Length, row.Length).SequenceEqual(row), $"logits of token {length} differ");
            }
        }
    }

    /// <summary>Writes NaN to every slot of blocks that nobody holds.</summary>
    private sealed class Poison
    {
        private readonly Backend _backend;
        private readonly KvCache _cache;
        private readonly BlockPool _pool;
        private readonly Tensor _rows;
        private readonly Tensor _slots;

        public Poison(ModelRunner runner, BlockPool pool)
        {
            T Part<T>(string name) =>
                (T)typeof(ModelRunner).GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(runner)!;
            _backend = Part<Backend>("_backend");
            _cache = Part<KvCache>("_cache");
            _pool = pool;
            var (rows, columns) = (pool.NumBlocks * pool.BlockSize, 3 * _cache.Layout.KvHeads * _cache.Layout.HeadDim);
            var nothing = new float[rows * columns];
            Array.Fill(nothing, float.NaN);
            var vector = _backend.LoadVector(HostTensors.Of("nothing", DType.F32, nothing, nothing.Length));
            _rows = vector with { Rows = rows, Columns = columns };
            _slots = _backend.Allocate("slots", DType.I32, rows);
        }

        public void Fill()
        {
            int[] slots = [
                .. Enumerable.Range(0, _pool.NumBlocks).Where(_pool.IsFree)
                    .SelectMany(block => Enumerable.Range(block * _pool.BlockSize, _pool.BlockSize))];
            if (slots.Length == 0)
            {
                return;
            }

            var rows = _slots.FirstRows(slots.Length);
            _backend.Upload(slots, rows);
            for (var region = 0; region < _cache.Layout.Layers; region++)
            {
                _backend.RopeAndCache(
                    _rows.FirstRows(slots.Length), null, new AttentionInputs(rows, rows, rows, rows, rows, 1, 1), _cache, region);
            }
        }
    }
}
