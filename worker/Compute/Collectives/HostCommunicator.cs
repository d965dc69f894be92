namespace Cluster.Worker.Compute.Collectives;

/// <summary>Ranks on the host that see the same memory, be they threads (<see cref="ThreadCommunicator"/>) or processes
/// (<see cref="SharedMemoryCommunicator"/>).</summary>
/// <remarks>
/// <code>
/// GroupHeader │ RankLine of rank 0 │ rank 1 │ … │ even slots: rank 0 │ rank 1 │ … │ odd slots: rank 0 │ rank 1 │ …
/// </code>
/// A message is cut into chunks of a slot's size. A chunk is written to one's own slot, and read by the others after a barrier. Chunks take
/// even and odd slots in turn: who writes a slot again has passed a later barrier, which every reader of its old contents reached after
/// reading; one barrier a chunk is enough. A sum is short, and every rank takes all of it (one barrier), or long, and each rank takes a
/// slice of it for all (reduce-scatter, barrier, all-gather).
/// </remarks>
internal abstract unsafe class HostCommunicator : Communicator
{
    /// <summary>Sums up to this many bytes are taken by every rank: reading them costs less than a second barrier.</summary>
    private const int ShortBytes = 32 * 1024;

    /// <summary>Slices are whole cache lines, so that no two ranks write the same one.</summary>
    private const int CacheLineFloats = 16;

    private readonly byte* _slots;
    private readonly int _slotBytes;
    private readonly RankBarrier _barrier;
    private int _parity;

    /// <param name="memory"><see cref="BytesOf"/> bytes, zeroed before the first rank used them.</param>
    /// <param name="slotBytes">Whole cache lines.</param>
    protected HostCommunicator(byte* memory, int slotBytes, int rank, int size, TimeSpan timeout, IRankLiveness liveness)
    {
        Rank = rank;
        Size = size;
        _slotBytes = slotBytes;
        _slots = memory + GroupHeader.Bytes + (long)size * RankLine.Bytes;
        Line = (RankLine*)(memory + GroupHeader.Bytes) + rank;
        _barrier = new RankBarrier((GroupHeader*)memory, (RankLine*)(memory + GroupHeader.Bytes), rank, size, timeout, liveness);
    }

    public sealed override int Rank { get; }

    public sealed override int Size { get; }

    /// <summary>This rank's line of the shared memory.</summary>
    protected RankLine* Line { get; }

    private int SlotFloats => _slotBytes / sizeof(float);

    public sealed override void AllReduce(Span<float> values)
    {
        var call = CollectiveCall.AllReduce(sizeof(float) * (long)values.Length);
        do
        {
            var chunk = values[..Math.Min(values.Length, SlotFloats)];
            ReduceChunk(chunk, call);
            values = values[chunk.Length..];
        }
        while (values.Length > 0);
    }

    /// <exception cref="ArgumentException"><paramref name="all"/> is not <see cref="Communicator.Size"/> times as long as
    /// <paramref name="part"/>.</exception>
    public sealed override void AllGather(ReadOnlySpan<float> part, Span<float> all)
    {
        if (all.Length != (long)part.Length * Size)
        {
            throw new ArgumentException($"parts of {part.Length} from {Size} ranks do not fill {all.Length}", nameof(all));
        }

        var call = CollectiveCall.AllGather(sizeof(float) * (long)part.Length);
        var done = 0;
        do
        {
            var length = Math.Min(part.Length - done, SlotFloats);
            NextSlots();
            part.Slice(done, length).CopyTo(Floats(Rank, length));
            _barrier.Wait(call);
            for (var other = 0; other < Size; other++)
            {
                Floats(other, length).CopyTo(all.Slice(other * part.Length + done, length));
            }

            done += length;
        }
        while (done < part.Length);
    }

    /// <exception cref="ArgumentOutOfRangeException">There is no such rank.</exception>
    public sealed override void Broadcast(Span<byte> values, int root)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(root);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(root, Size);
        var call = CollectiveCall.Broadcast(values.Length);
        do
        {
            var chunk = values[..Math.Min(values.Length, _slotBytes)];
            NextSlots();
            var slot = new Span<byte>(Slot(root), chunk.Length);
            if (Rank == root)
            {
                chunk.CopyTo(slot);
            }

            _barrier.Wait(call);
            if (Rank != root)
            {
                slot.CopyTo(chunk);
            }

            values = values[chunk.Length..];
        }
        while (values.Length > 0);
    }

    public sealed override void Barrier() => _barrier.Wait(CollectiveCall.Barrier);

    /// <summary>Bytes of shared memory that a group needs.</summary>
    protected static long BytesOf(int size, int slotBytes) => GroupHeader.Bytes + size * (RankLine.Bytes + 2L * slotBytes);

    /// <summary>Announces this rank and waits for the others.</summary>
    protected void Join()
    {
        Line->ProcessId = Environment.ProcessId;
        Volatile.Write(ref Line->State, RankLine.Joined);
        _barrier.Wait(CollectiveCall.Join);
    }

    /// <summary>Tells the others that this rank will not call again.</summary>
    protected void Leave() => _barrier.Leave();

    private void NextSlots() => _parity ^= 1;

    private byte* Slot(int rank) => _slots + (long)(_parity * Size + rank) * _slotBytes;

    private Span<float> Floats(int rank, int length) => new(Slot(rank), length);

    private void ReduceChunk(Span<float> values, long call)
    {
        NextSlots();
        values.CopyTo(Floats(Rank, values.Length));
        _barrier.Wait(call);
        if (values.Length * sizeof(float) <= ShortBytes)
        {
            fixed (float* sums = values)
            {
                SliceSum.InRankOrder((float*)Slot(0), SlotFloats, Size, sums, values.Length);
            }

            return;
        }

        // Rank r alone touches slice r of every slot, so its sum can take the place of its own term.
        var slice = ((values.Length + Size - 1) / Size + CacheLineFloats - 1) / CacheLineFloats * CacheLineFloats;
        var begin = Math.Min(Rank * slice, values.Length);
        var end = Math.Min(begin + slice, values.Length);
        SliceSum.InRankOrder((float*)Slot(0) + begin, SlotFloats, Size, (float*)Slot(Rank) + begin, end - begin);
        _barrier.Wait(call);
        for (var other = 0; other < Size; other++)
        {
            begin = Math.Min(other * slice, values.Length);
            end = Math.Min(begin + slice, values.Length);
            new Span<float>((float*)Slot(other) + begin, end - begin).CopyTo(values[begin..]);
        }
    }
}
