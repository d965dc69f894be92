using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>One layer of a <see cref="CpuKvCache"/> as kernels see it: written by <see cref="RopeAndCacheRows{V, TSimd}"/> and
/// <see cref="LatentRows"/>, read by <see cref="AttentionJob{V, TSimd, TCodes}"/>. Positions in it are counted in elements, whatever
/// their type.</summary>
/// <param name="scales">Those of the cache's type, see <see cref="KvScales.For"/>.</param>
internal readonly unsafe struct KvLayer(byte* keys, byte* values, KvCacheLayout layout, KvScales scales)
{
    private const int Tile = CpuKvCache.TileSlots;

    private readonly byte* _keys = keys;
    private readonly byte* _values = values;
    private readonly DType _dtype = layout.DType;
    private readonly bool _isLatent = layout.IsLatent;
    private readonly int _kvHeads = layout.KvHeads;
    private readonly int _headDim = layout.HeadDim;
    private readonly int _blockSize = layout.BlockSize;
    private readonly int _numBlocks = layout.NumBlocks;

    /// <summary>What keys are divided by when they are written, and must be multiplied by when they are read.</summary>
    public float KeyScale { get; } = scales.Key;

    /// <summary>The same of values; a latent cache's are its keys.</summary>
    public float ValueScale { get; } = layout.IsLatent ? scales.Key : scales.Value;

    /// <summary>Values are the first elements of keys, and both are rows.</summary>
    public bool IsLatent => _isLatent;

    /// <summary>Elements from the keys of one dimension to those of the next. A latent cache has rows, which are decoded in pieces of a
    /// tile.</summary>
    public int KeyStride => _isLatent ? Tile : _blockSize;

    /// <summary>Elements from the values of one slot to those of the next.</summary>
    public int ValueStride => _headDim;

    /// <summary>Floats of a tile that is decoded; a multiple of 16.</summary>
    public int TileFloats => Tile * _headDim;

    /// <summary>Where a KV head's share of a block begins, of keys and of values.</summary>
    public long PageOf(int block, int kvHead) => ((long)block * _kvHeads + kvHead) * _headDim * _blockSize;

    /// <summary>Stores a token's key and value, rounded to the cache's type.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The cache does not have the slot.</exception>
    public void Write<V, TSimd>(int slot, int kvHead, float* key, float* value)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        CheckSlot(slot);
        switch (_dtype)
        {
            case DType.BF16:
                Write<V, TSimd, Bf16Codes>(slot, kvHead, key, value);
                break;
            case DType.F16:
                Write<V, TSimd, F16Codes>(slot, kvHead, key, value);
                break;
            case DType.F8E4M3:
                Write<V, TSimd, E4M3Codes>(slot, kvHead, key, value);
                break;
            case DType.F8E5M2:
                Write<V, TSimd, E5M2Codes>(slot, kvHead, key, value);
                break;
            default:
                Write<V, TSimd, F32Codes>(slot, kvHead, key, value);
                break;
        }
    }

    /// <summary>Stores what a latent cache keeps of a token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The cache does not have the slot.</exception>
    public void WriteLatent(int slot, float* row)
    {
        CheckSlot(slot);
        switch (_dtype)
        {
            case DType.BF16:
                WriteRow<Bf16Codes>(_keys, (long)slot * _headDim, row, KeyScale);
                break;
            case DType.F16:
                WriteRow<F16Codes>(_keys, (long)slot * _headDim, row, KeyScale);
                break;
            case DType.F8E4M3:
                WriteRow<E4M3Codes>(_keys, (long)slot * _headDim, row, KeyScale);
                break;
            case DType.F8E5M2:
                WriteRow<E5M2Codes>(_keys, (long)slot * _headDim, row, KeyScale);
                break;
            default:
                WriteRow<F32Codes>(_keys, (long)slot * _headDim, row, KeyScale);
                break;
        }
    }

    /// <summary>Where the keys of a tile begin: <c>[headDim][slots]</c>, <see cref="KeyStride"/> apart, or rows in a latent
    /// cache.</summary>
    /// <param name="page">Where the tile's page begins.</param>
    /// <param name="offset">Slots of the page before the tile.</param>
    /// <param name="size">Bytes of an element.</param>
    public byte* KeysAt(long page, int offset, int size) => _keys + (_isLatent ? RowAt(page, offset) : page + offset) * size;

    /// <summary>Where the values of a tile begin: <c>[slots][headDim]</c>.</summary>
    public byte* ValuesAt(long page, int offset, int size) => (_isLatent ? _keys : _values) + RowAt(page, offset) * size;

    /// <summary>A tile as floats without gaps: as many rows of 16 elements as a head has dimensions.</summary>
    /// <param name="stride">Elements from one row to the next.</param>
    /// <param name="ahead">What is prefetched meanwhile: another tile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Decode<V, TSimd, TCodes>(byte* source, int stride, byte* ahead, float* tile)
        where V : unmanaged
        where TSimd : ISimd<V>
        where TCodes : ICacheCodes<TCodes>
    {
        var toAhead = ahead - source;
        for (var row = 0; row < _headDim; row++)
        {
            Prefetch.Read(source + toAhead);
            for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
            {
                TSimd.Store(TCodes.Load<V, TSimd>(source + lane * TCodes.Size), tile + lane);
            }

            source += stride * TCodes.Size;
            tile += Tile;
        }
    }

    private long RowAt(long page, int offset) => page + (long)offset * _headDim;

    private void CheckSlot(int slot)
    {
        if ((uint)slot >= (uint)_numBlocks * (uint)_blockSize)
        {
            throw new ArgumentOutOfRangeException(nameof(slot), slot, $"the cache has {_numBlocks} blocks of {_blockSize} slots");
        }
    }

    [SkipLocalsInit]
    private void Write<V, TSimd, TCodes>(int slot, int kvHead, float* key, float* value)
        where V : unmanaged
        where TSimd : ISimd<V>
        where TCodes : ICacheCodes<TCodes>
    {
        var page = PageOf(slot / _blockSize, kvHead);
        var offset = slot % _blockSize;
        var codes = stackalloc byte[_headDim * TCodes.Size];
        TCodes.StoreRow<V, TSimd>(key, KeyScale, _headDim, codes);
        var column = _keys + (page + offset) * TCodes.Size;
        for (var d = 0; d < _headDim; d++)
        {
            Unsafe.CopyBlockUnaligned(column, codes, (uint)TCodes.Size);
            column += (long)_blockSize * TCodes.Size;
            codes += TCodes.Size;
        }

        TCodes.StoreRow<V, TSimd>(value, ValueScale, _headDim, _values + RowAt(page, offset) * TCodes.Size);
    }

    private void WriteRow<TCodes>(byte* elements, long position, float* row, float scale)
        where TCodes : ICacheCodes<TCodes> =>
        TCodes.StoreRow<float, SimdScalar>(row, scale, _headDim, elements + position * TCodes.Size);
}
