using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Parallel;

/// <summary>A <see cref="StepBatch"/> on its way from rank 0 to the others. One buffer each side, as large as the largest step; sending and
/// receiving allocate nothing. Sent by <see cref="LeadingRunner"/>, received by <see cref="FollowerLoop"/>.</summary>
/// <remarks>
/// 32-bit numbers in the machine's order:
/// <code>
/// kind | length | tokens | sequences | logits | longest query | longest context | block copies
/// token ids [tokens] | positions [tokens] | slot mapping [groups · tokens]
/// query starts [sequences + 1] | context lengths [sequences]
/// of each group: blocks in use of sequence 0 | of sequence 1 | …      the padding of block tables is not sent, nor blocks that
///                                                                     the group's layers read no more
/// logit rows [logits] | block copies [2 · copies]
/// </code>
/// The first broadcast has a fixed size, which a decode step of a few sequences fits into; what is longer follows in a second one, whose
/// size the first tells.
/// </remarks>
internal sealed class StepMessage
{
    private const int HeadLength = 1024;
    private const int NumFields = 8;

    private readonly int _blockSize;
    private readonly int _maxTokens;
    private readonly int _maxSequences;
    private readonly int _maxLogits;
    private readonly int _maxBlocks;
    private readonly KvGroups _groups;
    private readonly int[] _buffer;

    /// <param name="limits">The runner whose steps are sent: what it takes is the largest message.</param>
    public StepMessage(IModelRunner limits)
    {
        _blockSize = limits.BlockSize;
        _maxTokens = limits.MaxBatchedTokens;
        _maxSequences = limits.MaxSequences;
        _maxLogits = limits.MaxLogits;
        _maxBlocks = BlocksOf(limits.MaxModelLength);
        _groups = limits.KvGroups;
        var blocks = _groups.BlocksFor(limits.MaxModelLength, _maxTokens, _blockSize);
        var largest = checked((int)(
            NumFields + (2L + _groups.Count) * _maxTokens + _maxSequences * (2 + 2 * _groups.Count + blocks) + 1 + _maxLogits));
        _buffer = new int[Math.Max(HeadLength, largest)];
    }

    /// <summary>A batch that every step of the runner fits into.</summary>
    public StepBatch NewBatch() => new()
    {
        TokenIds = new int[_maxTokens],
        Positions = new int[_maxTokens],
        SlotMapping = new int[checked(_groups.Count * _maxTokens)],
        QueryStarts = new int[_maxSequences + 1],
        ContextLengths = new int[_maxSequences],
        BlockTables = new int[checked(_groups.Count * _maxSequences * _maxBlocks)],
        LogitRows = new int[_maxLogits],
        BlockCopies = new int[checked(2 * _groups.Count * _maxSequences)],
        NumGroups = _groups.Count,
    };

    /// <summary>Sends a step from rank 0.</summary>
    /// <exception cref="ArgumentException">The step exceeds the runner's limits. Nothing was sent.</exception>
    /// <exception cref="RankLostException">Another rank is gone.</exception>
    public void Send(StepBatch batch, Communicator communicator)
    {
        var rest = _buffer.AsSpan(NumFields);
        Put(ref rest, batch.TokenIds, batch.NumTokens);
        Put(ref rest, batch.Positions, batch.NumTokens);
        Put(ref rest, batch.SlotMapping, _groups.Count * batch.NumTokens);
        Put(ref rest, batch.QueryStarts, batch.NumSequences + 1);
        Put(ref rest, batch.ContextLengths, batch.NumSequences);
        for (var i = 0; i < _groups.Count * batch.NumSequences; i++)
        {
            var used = BlocksInUse(batch, i);
            Put(ref rest, batch.BlockTables.AsSpan(i * batch.MaxBlocks + used.Start.Value), used.End.Value - used.Start.Value);
        }

        Put(ref rest, batch.LogitRows, batch.NumLogits);
        Put(ref rest, batch.BlockCopies, 2 * batch.NumBlockCopies);
        var length = _buffer.Length - rest.Length;
        ReadOnlySpan<int> fields =
        [
            (int)StepMessageKind.Step, length, batch.NumTokens, batch.NumSequences, batch.NumLogits, batch.MaxQueryLength,
            batch.MaxContextLength, batch.NumBlockCopies,
        ];
        fields.CopyTo(_buffer);
        Broadcast(communicator, 0, HeadLength);
        if (length > HeadLength)
        {
            Broadcast(communicator, HeadLength, length);
        }
    }

    /// <summary>Sends what has no batch from rank 0.</summary>
    /// <exception cref="RankLostException">Another rank is gone.</exception>
    public void Send(StepMessageKind kind, Communicator communicator)
    {
        _buffer[0] = (int)kind;
        Broadcast(communicator, 0, HeadLength);
    }

    /// <summary>Waits for rank 0's next message.</summary>
    /// <param name="batch">From <see cref="NewBatch"/>; filled when it is a step.</param>
    /// <exception cref="InvalidDataException">The ranks do not agree on the limits.</exception>
    /// <exception cref="RankLostException">Rank 0 is gone.</exception>
    public StepMessageKind Receive(StepBatch batch, Communicator communicator)
    {
        Broadcast(communicator, 0, HeadLength);
        var kind = (StepMessageKind)_buffer[0];
        if (kind != StepMessageKind.Step)
        {
            return kind;
        }

        var length = _buffer[1];
        if (length < NumFields || length > _buffer.Length)
        {
            throw new InvalidDataException($"rank 0 sent a step of {length} numbers; this rank has room for {_buffer.Length}");
        }

        if (length > HeadLength)
        {
            Broadcast(communicator, HeadLength, length);
        }

        Unpack(batch);
        return kind;
    }

    private void Unpack(StepBatch batch)
    {
        batch.NumTokens = _buffer[2];
        batch.NumSequences = _buffer[3];
        batch.NumLogits = _buffer[4];
        batch.MaxQueryLength = _buffer[5];
        batch.MaxContextLength = _buffer[6];
        batch.NumBlockCopies = _buffer[7];
        batch.MaxBlocks = BlocksOf(batch.MaxContextLength);
        ReadOnlySpan<int> rest = _buffer.AsSpan(NumFields);
        Take(ref rest, batch.TokenIds, batch.NumTokens);
        Take(ref rest, batch.Positions, batch.NumTokens);
        Take(ref rest, batch.SlotMapping, _groups.Count * batch.NumTokens);
        Take(ref rest, batch.QueryStarts, batch.NumSequences + 1);
        Take(ref rest, batch.ContextLengths, batch.NumSequences);
        for (var i = 0; i < _groups.Count * batch.NumSequences; i++)
        {
            var row = batch.BlockTables.AsSpan(i * batch.MaxBlocks, batch.MaxBlocks);
            var used = BlocksInUse(batch, i);
            row.Clear();
            Take(ref rest, row[used], used.End.Value - used.Start.Value);
        }

        Take(ref rest, batch.LogitRows, batch.NumLogits);
        Take(ref rest, batch.BlockCopies, 2 * batch.NumBlockCopies);
    }

    /// <summary>The entries that a step reads of a row of the block tables.</summary>
    private Range BlocksInUse(StepBatch batch, int row)
    {
        var (group, sequence) = (row / batch.NumSequences, row % batch.NumSequences);
        var context = batch.ContextLengths[sequence];
        var firstQuery = context - (batch.QueryStarts[sequence + 1] - batch.QueryStarts[sequence]);
        return (_groups.Reaches[group].FirstRead(firstQuery) / _blockSize)..BlocksOf(context);
    }

    private int BlocksOf(int tokens) => (int)(((long)tokens + _blockSize - 1) / _blockSize);

    private void Broadcast(Communicator communicator, int start, int end) =>
        communicator.Broadcast(MemoryMarshal.AsBytes(_buffer.AsSpan(start, end - start)), root: 0);

    private static void Put(ref Span<int> rest, ReadOnlySpan<int> values, int count)
    {
        values[..count].CopyTo(rest);
        rest = rest[count..];
    }

    private static void Take(ref ReadOnlySpan<int> rest, Span<int> values, int count)
    {
        rest[..count].CopyTo(values);
        rest = rest[count..];
    }
}
