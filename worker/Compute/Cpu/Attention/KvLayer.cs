using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>One layer of a <see cref="CpuKvCache"/> as kernels see it: written by <see cref="RopeAndCacheRows{V, TSimd}"/>, read by
/// <see cref="AttentionJob{V, TSimd}"/>. Positions in it are counted in elements, whatever their type.</summary>
/// <remarks>An F32 cache is read in place. An FP8 cache is decoded tile by tile into the task's scratch memory, once for all queries of the
/// task.</remarks>
/// <param name="scales">Those of the cache's type, see <see cref="KvScales.For"/>.</param>
internal readonly unsafe struct KvLayer(byte* keys, byte* values, KvCacheLayout layout, KvScales scales)
{
    private const int Tile = CpuKvCache.TileSlots;

    private readonly byte* _keys = keys;
    private readonly byte* _values = values;
    private readonly DType _dtype = layout.DType;
    private readonly int _kvHeads = layout.KvHeads;
    private readonly int _headDim = layout.HeadDim;
    private readonly int _blockSize = layout.BlockSize;
    private readonly int _numBlocks = layout.NumBlocks;

    /// <summary>What keys are divided by when they are written, and must be multiplied by when they are read.</summary>
    public float KeyScale { get; } = scales.Key;

    /// <summary>The same of values.</summary>
    public float ValueScale { get; } = scales.Value;

    private bool IsPacked => _dtype != DType.F32;

    /// <summary>Floats of scratch memory that opening a tile takes; a multiple of 16.</summary>
    public int ScratchFloats => IsPacked ? Tile * _headDim : 0;

    /// <summary>Floats from the keys of one dimension to those of the next, in an opened tile.</summary>
    public int KeyStride => IsPacked ? Tile : _blockSize;

    /// <summary>Where the keys and the values of a KV head's share of a block begin.</summary>
    public long PageOf(int block, int kvHead) => ((long)block * _kvHeads + kvHead) * _headDim * _blockSize;

    /// <summary>Stores a token's key and value, rounded to the cache's type.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The cache does not have the slot.</exception>
    public void Write(int slot, int kvHead, float* key, float* value)
    {
        if ((uint)slot >= (uint)_numBlocks * (uint)_blockSize)
        {
            throw new ArgumentOutOfRangeException(nameof(slot), slot, $"the cache has {_numBlocks} blocks of {_blockSize} slots");
        }

        var page = PageOf(slot / _blockSize, kvHead);
        var offset = slot % _blockSize;
        var keyColumn = page + offset;
        var valueRow = page + (long)offset * _headDim;
        switch (_dtype)
        {
            case DType.F8E4M3:
                for (var d = 0; d < _headDim; d++)
                {
                    _keys[keyColumn + (long)d * _blockSize] = Fp8.ToE4M3(key[d] / KeyScale);
                    _values[valueRow + d] = Fp8.ToE4M3(value[d] / ValueScale);
                }

                break;
            case DType.F8E5M2:
                for (var d = 0; d < _headDim; d++)
                {
                    _keys[keyColumn + (long)d * _blockSize] = Fp8.ToE5M2(key[d] / KeyScale);
                    _values[valueRow + d] = Fp8.ToE5M2(value[d] / ValueScale);
                }

                break;
            default:
                for (var d = 0; d < _headDim; d++)
                {
                    ((float*)_keys)[keyColumn + (long)d * _blockSize] = key[d];
                }

                Buffer.MemoryCopy(value, (float*)_values + valueRow, _headDim * sizeof(float), _headDim * sizeof(float));
                break;
        }
    }

    /// <summary>The keys of a tile, <c>[_headDim][slots]</c>, <see cref="KeyStride"/> apart.</summary>
    /// <param name="position">Where the tile begins.</param>
    /// <param name="next">Where the next tile begins, of which nothing is read yet.</param>
    /// <param name="ahead">What kernels should prefetch while they use the tile.</param>
    public float* OpenKeys<V, TSimd>(long position, long next, float* scratch, out float* ahead)
        where V : unmanaged
        where TSimd : ISimd<V> => Open<V, TSimd>(_keys, position, next, _blockSize, scratch, out ahead);

    /// <summary>The values of a tile, <c>[slots][_headDim]</c>. Other parameters are those of <see cref="OpenKeys{V, TSimd}"/>.</summary>
    public float* OpenValues<V, TSimd>(long position, long next, float* scratch, out float* ahead)
        where V : unmanaged
        where TSimd : ISimd<V> => Open<V, TSimd>(_values, position, next, Tile, scratch, out ahead);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float* Open<V, TSimd>(byte* elements, long position, long next, int stride, float* scratch, out float* ahead)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        if (!IsPacked)
        {
            ahead = (float*)elements + next;
            return (float*)elements + position;
        }

        Decode<V, TSimd>(elements + position, elements + next, stride, scratch);
        ahead = scratch;
        return scratch;
    }

    /// <summary>As many rows of 16 elements as a head has dimensions; a tile of values is as large, in rows without gaps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Decode<V, TSimd>(byte* source, byte* next, int stride, float* tile)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        for (var row = 0; row < _headDim; row++)
        {
            Prefetch.Read(next);
            for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
            {
                TSimd.Store(_dtype == DType.F8E4M3 ? TSimd.LoadE4M3(source + lane) : TSimd.LoadE5M2(source + lane), tile + lane);
            }

            source += stride;
            next += stride;
            tile += Tile;
        }
    }
}
