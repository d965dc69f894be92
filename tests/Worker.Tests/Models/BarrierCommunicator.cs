using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Models;

internal sealed class BarrierCommunicator : Communicator
{
    private sealed class Shared(int size)
    {
        public readonly Barrier Barrier = new(size);
        public readonly float[][] Parts = new float[size][];
        public byte[] Bytes = [];
        public readonly CancellationTokenSource Gone = new();
    }

    private readonly Shared shared;
    private BarrierCommunicator(int rank, int size, Shared shared) { Rank = rank; Size = size; this.shared = shared; }
    public override int Rank { get; }
    public override int Size { get; }
    public static IReadOnlyList<Communicator> CreateGroup(int size)
    {
        var shared = new Shared(size);
        return [.. Enumerable.Range(0, size).Select(rank => new BarrierCommunicator(rank, size, shared))];
    }

    public override void AllReduce(Span<float> values)
    {
        shared.Parts[Rank] = values.ToArray();
        Barrier();
        shared.Parts[0].CopyTo(values);
        for (var r = 1; r < Size; r++) for (var i = 0; i < values.Length; i++) values[i] += shared.Parts[r][i];
        Barrier();
    }

    public override void AllGather(ReadOnlySpan<float> part, Span<float> all)
    {
        shared.Parts[Rank] = part.ToArray();
        Barrier();
        for (var r = 0; r < Size; r++) shared.Parts[r].CopyTo(all[(r * part.Length)..]);
        Barrier();
    }

    public override void Broadcast(Span<byte> values, int root)
    {
        if (root == Rank) shared.Bytes = values.ToArray();
        Barrier();
        shared.Bytes.CopyTo(values);
        Barrier();
    }

    public override void Barrier()
    {
        try { shared.Barrier.SignalAndWait(shared.Gone.Token); }
        catch (OperationCanceledException e) { throw new RankLostException("gone", e); }
    }

    public override void Dispose() => shared.Gone.Cancel();
}
