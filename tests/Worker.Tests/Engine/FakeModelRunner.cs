using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Engine;

/// <summary>A model runner whose "KV cache" is the token and position last written to each slot, and whose logits are a hash of the whole
/// context as it is read through the block table. A wrong block, slot, position or context length either throws here or changes the
/// output. A group of layers with a limited reach holds the same tokens as far as it is read; where no group reads everything, a row's
/// context is what the first reads.</summary>
internal sealed class FakeModelRunner(
    int vocabSize, int blockSize, int numBlocks, int maxModelLength, int maxBatchedTokens = 4096, int maxSequences = 256,
    int? maxLogits = null, KvGroups? groups = null)
    : IModelRunner
{
    /// <summary>A step of one sequence with one token.</summary>
    public static readonly StepBatch OneToken = new()
    {
        NumTokens = 1,
        NumSequences = 1,
        NumLogits = 1,
        MaxBlocks = 1,
        MaxQueryLength = 1,
        MaxContextLength = 1,
        TokenIds = [7],
        Positions = [0],
        SlotMapping = [0],
        QueryStarts = [0, 1],
        ContextLengths = [1],
        BlockTables = [0],
        LogitRows = [0],
    };

    /// <summary>Stands for a token that a row does not read.</summary>
    private const int Unread = -2;

    private readonly int[] _tokens = Filled(numBlocks * blockSize, -1);
    private readonly int[] _positions = Filled(numBlocks * blockSize, -1);
    private float[] _logits = [];
    private int _numLogits;

    public int VocabSize => vocabSize;

    public int BlockSize => blockSize;

    public int NumBlocks => numBlocks;

    public KvGroups KvGroups { get; } = groups ?? KvGroups.One;

    public int MaxModelLength => maxModelLength;

    public int MaxBatchedTokens => maxBatchedTokens;

    public int MaxSequences => maxSequences;

    public int MaxLogits => maxLogits ?? maxSequences;

    /// <summary>Called at each launch, before anything is checked.</summary>
    public Action<StepBatch>? OnLaunch { get; set; }

    /// <summary>Changes a row of logits; arguments are the context's tokens and the row.</summary>
    public Action<int[], float[]>? OnLogits { get; set; }

    public int Steps { get; private set; }

    public int RowsComputed { get; private set; }

    public int LargestStep { get; private set; }

    public int BlocksCopied { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>The logits of a context, as any correct engine must see them.</summary>
    public static void Logits(ReadOnlySpan<int> context, Span<float> row)
    {
        var state = 1469598103934665603UL;
        foreach (var token in context)
        {
            state = (state ^ (uint)token) * 1099511628211UL;
            state ^= state >> 29;
        }

        for (var i = 0; i < row.Length; i++)
        {
            state += 0x9e3779b97f4a7c15;
            var mixed = (state ^ (state >> 31)) * 0xbf58476d1ce4e5b9;
            row[i] = (float)((mixed >> 40) / (double)(1 << 24)) * 8 - 4;
        }
    }

    public void Launch(StepBatch batch)
    {
        OnLaunch?.Invoke(batch);
        Check(IsDisposed == false, "a step after disposal");
        CheckShape(batch);
        Steps++;
        RowsComputed += batch.NumTokens;
        LargestStep = Math.Max(LargestStep, batch.NumTokens);
        Copy(batch);
        Write(batch);
        for (var sequence = 0; sequence < batch.NumSequences; sequence++)
        {
            for (var group = 0; group < KvGroups.Count; group++)
            {
                Read(batch, group, sequence);
            }
        }

        _numLogits = batch.NumLogits;
        Check(_numLogits <= MaxLogits, $"{_numLogits} rows of logits");
        _logits = new float[_numLogits * vocabSize];
        var row = new float[vocabSize];
        for (var i = 0; i < _numLogits; i++)
        {
            var sequence = SequenceOf(batch, batch.LogitRows[i]);
            var behind = batch.QueryStarts[sequence + 1] - 1 - batch.LogitRows[i];
            var context = Read(batch, 0, sequence)[..^behind];
            context.AsSpan(0, KvGroups.Reaches[0].FirstRead(context.Length - 1)).Fill(Unread);
            Logits(context, row);
            OnLogits?.Invoke(context, row);
            row.CopyTo(_logits, i * vocabSize);
        }
    }

    public ReadOnlySpan<float> WaitForLogits() => _logits.AsSpan(0, _numLogits * vocabSize);

    public void Dispose() => IsDisposed = true;

    private static int[] Filled(int length, int value)
    {
        var array = new int[length];
        Array.Fill(array, value);
        return array;
    }

    private static void Check(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvalidOperationException("the step is wrong: " + what);
        }
    }

    private static int SequenceOf(StepBatch batch, int row)
    {
        var sequence = 0;
        while (batch.QueryStarts[sequence + 1] <= row)
        {
            sequence++;
        }

        return sequence;
    }

    private void CheckShape(StepBatch batch)
    {
        Check(batch.NumTokens > 0 && batch.NumTokens <= maxBatchedTokens, $"{batch.NumTokens} tokens");
        Check(batch.NumSequences > 0 && batch.NumSequences <= maxSequences, $"{batch.NumSequences} sequences");
        Check(batch.QueryStarts[0] == 0 && batch.QueryStarts[batch.NumSequences] == batch.NumTokens, "query starts do not cover the rows");
        var sawPrefill = false;
        var longestQuery = 0;
        var longestContext = 0;
        for (var i = 0; i < batch.NumSequences; i++)
        {
            var rows = batch.QueryStarts[i + 1] - batch.QueryStarts[i];
            Check(rows > 0, "a sequence without rows");
            Check(rows > 1 || !sawPrefill, "a decode row after a prefill row");
            sawPrefill |= rows > 1;
            longestQuery = Math.Max(longestQuery, rows);
            longestContext = Math.Max(longestContext, batch.ContextLengths[i]);
            Check(batch.ContextLengths[i] <= maxModelLength, "a context beyond the model's length");
        }

        Check(longestQuery == batch.MaxQueryLength, "longest query");
        Check(longestContext == batch.MaxContextLength, "longest context");
        Check(batch.MaxBlocks * blockSize >= longestContext, "block tables too narrow");
        Check(batch.NumGroups == KvGroups.Count, $"{batch.NumGroups} groups");
    }

    private void Copy(StepBatch batch)
    {
        Check(
            batch.NumBlockCopies <= batch.NumSequences * batch.NumGroups,
            $"{batch.NumBlockCopies} block copies for {batch.NumSequences} sequences");
        BlocksCopied += batch.NumBlockCopies;
        for (var i = 0; i < batch.NumBlockCopies; i++)
        {
            var (source, destination) = (batch.BlockCopies[2 * i] * blockSize, batch.BlockCopies[2 * i + 1] * blockSize);
            Check(source != destination, $"block {batch.BlockCopies[2 * i]} is copied to itself");
            _tokens.AsSpan(source, blockSize).CopyTo(_tokens.AsSpan(destination));
            _positions.AsSpan(source, blockSize).CopyTo(_positions.AsSpan(destination));
        }
    }

    private void Write(StepBatch batch)
    {
        var written = new HashSet<int>();
        for (var sequence = 0; sequence < batch.NumSequences; sequence++)
        {
            for (var row = batch.QueryStarts[sequence]; row < batch.QueryStarts[sequence + 1]; row++)
            {
                var position = batch.ContextLengths[sequence] - (batch.QueryStarts[sequence + 1] - row);
                Check(batch.Positions[row] == position, $"row {row} has position {batch.Positions[row]}, not {position}");
                Check((uint)batch.TokenIds[row] < (uint)vocabSize, "a token outside the vocabulary");
                for (var group = 0; group < KvGroups.Count; group++)
                {
                    var slot = batch.SlotMapping[group * batch.NumTokens + row];
                    Check(slot == Slot(batch, group, sequence, position), $"row {row} writes slot {slot}, which is not its block table's");
                    Check(written.Add(slot), $"slot {slot} is written twice");
                    _tokens[slot] = batch.TokenIds[row];
                    _positions[slot] = position;
                }
            }
        }
    }

    /// <summary>The tokens that a sequence's rows read in a group, by position.</summary>
    private int[] Read(StepBatch batch, int group, int sequence)
    {
        var context = Filled(batch.ContextLengths[sequence], Unread);
        var firstRow = context.Length - (batch.QueryStarts[sequence + 1] - batch.QueryStarts[sequence]);
        for (var position = KvGroups.Reaches[group].FirstRead(firstRow); position < context.Length; position++)
        {
            var slot = Slot(batch, group, sequence, position);
            Check(_positions[slot] == position, $"slot {slot} holds position {_positions[slot]}, not {position}");
            var known = Slot(batch, 0, sequence, position);
            Check(
                KvGroups.Reaches[0].FirstRead(firstRow) > position || _tokens[slot] == _tokens[known],
                $"slot {slot} holds token {_tokens[slot]}, slot {known} of the first group {_tokens[known]}");
            context[position] = _tokens[slot];
        }

        return context;
    }

    private int Slot(StepBatch batch, int group, int sequence, int position) =>
        batch.BlockTables[(group * batch.NumSequences + sequence) * batch.MaxBlocks + position / blockSize] * blockSize
        + position % blockSize;
}
