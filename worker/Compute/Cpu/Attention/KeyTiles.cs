namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Two tiles of keys, each <c>[headDim][16]</c>, as <see cref="ScoreKernels{V, TSimd, TCodes}"/> take them: counted in bytes.
/// Where there is but one, it stands here twice.</summary>
internal unsafe struct KeyTiles
{
    private const int Tile = CpuKvCache.TileSlots;

    public byte* First;
    public byte* Second;

    /// <summary>What is prefetched while the first is used, and the second.</summary>
    public byte* FirstAhead;
    public byte* SecondAhead;

    /// <summary>Bytes from the keys of one dimension to those of the next.</summary>
    public long Stride;

    /// <summary>Where the keys of a slot begin.</summary>
    public readonly byte* At(int slot, int size) => slot < Tile ? First + slot * size : Second + (slot - Tile) * size;

    /// <summary>Bytes from a key to what is prefetched in its place.</summary>
    public readonly long AheadOf(int slot) => slot < Tile ? FirstAhead - First : SecondAhead - Second;
}
