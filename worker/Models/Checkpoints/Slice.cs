namespace Cluster.Worker.Models.Checkpoints;

/// <summary>A run of indexes of one dimension: what a rank takes of a tensor that several share. An integer is the whole of a dimension of
/// that length.</summary>
/// <param name="Full">Length of the dimension in the checkpoint.</param>
/// <param name="First">First index taken.</param>
/// <param name="Count">Indexes taken.</param>
internal readonly record struct Slice(int Full, int First, int Count)
{
    public bool IsWhole => Count == Full;

    public static implicit operator Slice(int full) => new(full, 0, full);

    /// <summary>The part of one of <paramref name="size"/> ranks, all as long.</summary>
    /// <param name="full">A multiple of <paramref name="size"/>.</param>
    public static Slice Of(int full, int rank, int size) => new(full, full / size * rank, full / size);

    /// <summary>Each index becomes a run of <paramref name="length"/> neighbours: heads become their features.</summary>
    public Slice Times(int length) => new(Full * length, First * length, Count * length);

    /// <summary>Whether length and cut fall on multiples of <paramref name="length"/>.</summary>
    public bool IsMultipleOf(int length) => Full % length == 0 && First % length == 0 && Count % length == 0;

    /// <summary>The runs of <paramref name="length"/> neighbours that have some of these; the last run of all may be shorter.</summary>
    public Slice Covering(int length)
    {
        var first = First / length;
        return new Slice((Full + length - 1) / length, first, ((First + Count + length - 1) / length) - first);
    }

    /// <summary>Runs of <paramref name="length"/> neighbours become one index: features become the words that they are packed in.</summary>
    public Slice DividedBy(int length) => new(Full / length, First / length, Count / length);
}
