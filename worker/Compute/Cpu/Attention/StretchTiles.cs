using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>The tiles of a stretch in the order in which they are read, and those of the next. Opens them for the kernels: in place, or as
/// floats in scratch memory. Called by <see cref="AttentionJob{V, TSimd, TCodes}"/>.</summary>
/// <remarks>Pages lie anywhere, so that only this list knows what memory comes next, which is asked for some tiles ahead:
/// <code>│keys 0 … n-1│values 0 … n-1│keys of the next stretch│the last of them again and again│</code></remarks>
internal unsafe struct StretchTiles<V, TSimd, TCodes>
    where V : unmanaged
    where TSimd : ISimd<V>
    where TCodes : ICacheCodes<TCodes>
{
    /// <summary>Tiles that are decoded at a time.</summary>
    public const int DecodedTiles = 2;

    /// <summary>Floats of scratch memory that the addresses take; a multiple of 16.</summary>
    public const int AddressFloats = (Entries + AttentionStretch.Tiles) * 2;

    private const int Tile = CpuKvCache.TileSlots;

    /// <summary>Tiles from the one in use to the one asked for: as many as are read while memory answers.</summary>
    private const int TilesAhead = 4;

    private const int Entries = 4 * AttentionStretch.Tiles;

    /// <summary>Bytes of values that are kept near while all dimensions pass: a part of the first cache.</summary>
    private const int NearBytes = 8 * 1024;

    private byte** _tiles;
    private byte** _decoded;
    private float* _scratch;
    private KvLayer _cache;
    private bool _decodes;

    /// <param name="scratch"><see cref="AddressFloats"/>, then <see cref="ScratchFloats"/>.</param>
    /// <param name="decodes">Whether codes become floats in memory; else in the kernels' registers.</param>
    public StretchTiles(KvLayer cache, float* scratch, bool decodes)
    {
        _cache = cache;
        _tiles = (byte**)scratch;
        _decoded = _tiles + Entries;
        _scratch = scratch + AddressFloats;
        _decodes = decodes && TCodes.Size != sizeof(float);
        KeysAreFloats = _decodes || cache.IsLatent;
    }

    /// <summary>Tiles of this stretch.</summary>
    public int Count { get; private set; }

    /// <summary>Whether <see cref="OpenKeys"/> gives floats and not the cache's codes.</summary>
    public bool KeysAreFloats { get; }

    /// <summary>Whether <see cref="OpenValues"/> gives floats and not the cache's codes.</summary>
    public readonly bool ValuesAreFloats => _decodes;

    /// <summary>Tiles of values to open at a time.</summary>
    public readonly int ValueTilesAtOnce =>
        _decodes ? DecodedTiles : Math.Clamp(NearBytes / (_cache.TileFloats * TCodes.Size), 1, AttentionStretch.Tiles);

    /// <summary>Floats of decoded keys, then of decoded values or rows.</summary>
    public static int ScratchFloats(KvLayer cache) =>
        TCodes.Size == sizeof(float) && !cache.IsLatent ? 0 : 2 * DecodedTiles * cache.TileFloats;

    /// <summary>Begins a list.</summary>
    /// <param name="count">Tiles of the stretch.</param>
    public void Clear(int count) => Count = count;

    /// <summary>Enters a tile of the stretch.</summary>
    public readonly void Add(int tile, long page, int offset)
    {
        _tiles[tile] = _cache.KeysAt(page, offset, TCodes.Size);
        _tiles[Count + tile] = _cache.ValuesAt(page, offset, TCodes.Size);
    }

    /// <summary>Enters a tile of the next stretch; its keys are asked for while values of this one are read.</summary>
    public readonly void AddNext(int tile, long page, int offset) => _tiles[2 * Count + tile] = _cache.KeysAt(page, offset, TCodes.Size);

    /// <summary>Fills up the list behind so many tiles of the next stretch.</summary>
    public readonly void End(int nextTiles)
    {
        var end = 2 * Count + nextTiles;
        new Span<nint>(_tiles + end, TilesAhead).Fill((nint)_tiles[end - 1]);
    }

    /// <summary>Two tiles of keys; the last stands twice where there is but one.</summary>
    public readonly KeyTiles OpenKeys(int tile)
    {
        var second = Math.Min(tile + 1, Count - 1);
        if (!KeysAreFloats)
        {
            return new KeyTiles
            {
                First = _tiles[tile],
                Second = _tiles[second],
                FirstAhead = _tiles[tile + TilesAhead],
                SecondAhead = _tiles[second + TilesAhead],
                Stride = (long)_cache.KeyStride * TCodes.Size,
            };
        }

        DecodeKeys(tile, _scratch);
        var next = _scratch + (second - tile) * _cache.TileFloats;
        if (second > tile)
        {
            DecodeKeys(second, next);
        }

        return new KeyTiles
        {
            First = (byte*)_scratch,
            Second = (byte*)next,
            FirstAhead = (byte*)_scratch,
            SecondAhead = (byte*)next,
            Stride = Tile * sizeof(float),
        };
    }

    /// <summary>At most <see cref="ValueTilesAtOnce"/> tiles of values, which keep their numbers.</summary>
    public readonly ValueTiles OpenValues(int first, int end)
    {
        if (!_decodes)
        {
            var values = _tiles + Count;
            return new ValueTiles { Tiles = values, Ahead = values + TilesAhead, Stride = (long)_cache.ValueStride * TCodes.Size };
        }

        var target = _scratch + DecodedTiles * _cache.TileFloats;
        for (var tile = first; tile < end; tile++, target += _cache.TileFloats)
        {
            Decode(Count + tile, Tile, target);
            _decoded[tile] = (byte*)target;
        }

        return new ValueTiles { Tiles = _decoded, Ahead = _decoded, Stride = (long)_cache.ValueStride * sizeof(float) };
    }

    private readonly void DecodeKeys(int tile, float* target)
    {
        if (!_cache.IsLatent)
        {
            Decode(tile, _cache.KeyStride, target);
            return;
        }

        float* rows = (float*)_tiles[tile], nextRows = (float*)_tiles[tile + TilesAhead];
        if (TCodes.Size != sizeof(float))
        {
            rows = nextRows = _scratch + DecodedTiles * _cache.TileFloats;
            Decode(tile, Tile, rows);
        }

        Transposition.Columns(rows, nextRows, _cache.TileFloats / Tile, target);
    }

    private readonly void Decode(int entry, int stride, float* target) =>
        _cache.Decode<V, TSimd, TCodes>(_tiles[entry], stride, _tiles[entry + TilesAhead], target);
}
