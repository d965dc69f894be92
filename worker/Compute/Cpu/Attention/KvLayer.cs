using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>One layer of a <see cref="CpuKvCache"/> as kernels see it: written by <see cref="RopeAndCacheRows{V, TSimd}"/> and
/// <see cref="LatentRows"/>, read by <see cref="AttentionJob{V, TSimd}"/>. Positions in it are counted in elements, whatever their
/// type.</summary>
/// <remarks>An F32 cache is read in place. A cache of smaller elements is decoded tile by tile into the task's scratch memory, and tokens
/// of a latent cache are turned into columns there, once for all queries of the task.</remarks>
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

    /// <summary>Floats of scratch memory that opening a tile takes; a multiple of 16.</summary>
    public int ScratchFloats => Tile * _headDim * ((IsPacked ? 1 : 0) + (_isLatent ? 1 : 0));

    /// <summary>Floats from the keys of one dimension to those of the next, in an opened tile.</summary>
    public int KeyStride => IsPacked || _isLatent ? Tile : _blockSize;

    /// <summary>Floats from the values of one slot to those of the next, in an opened tile.</summary>
    public int ValueStride => _headDim;

    private bool IsPacked => _dtype != DType.F32;

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

    /// <summary>The keys of a tile, <c>[headDim][slots]</c>, <see cref="KeyStride"/> apart. To be opened before the tile's
    /// values.</summary>
    /// <param name="page">Where the tile's page begins.</param>
    /// <param name="offset">Slots of the page before the tile.</param>
    /// <param name="nextPage">The same of the next tile, of which nothing is read yet.</param>
    /// <param name="ahead">What kernels should prefetch while they use the tile.</param>
    public float* OpenKeys<V, TSimd>(long page, int offset, long nextPage, int nextOffset, float* scratch, out float* ahead)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        if (_isLatent)
        {
            var rows = Open<V, TSimd>(
                _keys, RowAt(page, offset), RowAt(nextPage, nextOffset), Tile, scratch + Tile * _headDim, out var nextRows);
            Transposition.Columns(rows, nextRows, _headDim, scratch);
            ahead = scratch;
            return scratch;
        }

        return Open<V, TSimd>(_keys, page + offset, nextPage + nextOffset, _blockSize, scratch, out ahead);
    }

    /// <summary>The values of a tile, <c>[slots][headDim]</c>, <see cref="ValueStride"/> apart. Parameters are those of
    /// <see cref="OpenKeys{V, TSimd}"/>.</summary>
    public float* OpenValues<V, TSimd>(long page, int offset, long nextPage, int nextOffset, float* scratch, out float* ahead)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        if (_isLatent)
        {
            ahead = IsPacked ? scratch + Tile * _headDim : (float*)_keys + RowAt(page, offset);
            return ahead;
        }

        return Open<V, TSimd>(_values, RowAt(page, offset), RowAt(nextPage, nextOffset), Tile, scratch, out ahead);
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
        where TCodes : ICacheCodes
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
        where TCodes : ICacheCodes =>
        TCodes.StoreRow<float, SimdScalar>(row, scale, _headDim, elements + position * TCodes.Size);

    private float* Open<V, TSimd>(byte* elements, long position, long next, int stride, float* scratch, out float* ahead)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        if (!IsPacked)
        {
            ahead = (float*)elements + next;
            return (float*)elements + position;
        }

        switch (_dtype)
        {
            case DType.BF16:
                Decode<V, TSimd, Bf16Codes>(elements, position, next, stride, scratch);
                break;
            case DType.F16:
                Decode<V, TSimd, F16Codes>(elements, position, next, stride, scratch);
                break;
            case DType.F8E4M3:
                Decode<V, TSimd, E4M3Codes>(elements, position, next, stride, scratch);
                break;
            default:
                Decode<V, TSimd, E5M2Codes>(elements, position, next, stride, scratch);
                break;
        }

        ahead = scratch;
        return scratch;
    }

    /// <summary>As many rows of 16 elements as a head has dimensions; a tile of values is as large, in rows without gaps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Decode<V, TSimd, TCodes>(byte* elements, long position, long next, int stride, float* tile)
        where V : unmanaged
        where TSimd : ISimd<V>
        where TCodes : ICacheCodes
    {
        var source = elements + position * TCodes.Size;
        var ahead = (next - position) * TCodes.Size;
        for (var row = 0; row < _headDim; row++)
        {
            Prefetch.Read(source + ahead);
            for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
            {
                TSimd.Store(TCodes.Load<V, TSimd>(source + lane * TCodes.Size), tile + lane);
            }

            source += stride * TCodes.Size;
            tile += Tile;
        }
    }
}
