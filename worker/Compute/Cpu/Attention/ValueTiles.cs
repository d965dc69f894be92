using System.Runtime.CompilerServices;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>The tiles of a stretch's values, each <c>[16][valueDim]</c>, as <see cref="ValueKernels{V, TSimd, TCodes}"/> take
/// them.</summary>
internal unsafe struct ValueTiles
{
    private const int Tile = CpuKvCache.TileSlots;

    /// <summary>Where each tile begins.</summary>
    public byte** Tiles;

    /// <summary>What is prefetched while a tile is used.</summary>
    public byte** Ahead;

    /// <summary>Bytes from the values of one slot to those of the next.</summary>
    public long Stride;

    /// <summary>Where the values of a slot begin.</summary>
    /// <param name="ahead">Bytes from there to what is prefetched.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly byte* At(int slot, out long ahead)
    {
        var tile = Tiles[slot / Tile];
        ahead = Ahead[slot / Tile] - tile;
        return tile + slot % Tile * Stride;
    }
}
