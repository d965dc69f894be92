using System.Buffers.Binary;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Compute.Cpu.Quantized;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>The whole seam in plain scalar loops: results are stored as floats and every sum is a double in index order. The independent
/// twin of real backends; nothing here is fast, nothing is shared with them.</summary>
internal sealed partial class ReferenceBackend(Communicator? group = null) : Backend
{
    public override string Name => "reference";

    public override string Description => "scalar, double-precision sums";

    public override long AvailableBytes => DeviceBytes;

    public long DeviceBytes { get; init; } = 1L << 30;

    /// <summary>Inputs of linear layers become bf16 first, as on matrix cores with <c>--dtype bfloat16</c>.</summary>
    public bool RoundsInputs { get; init; }

    public override Tensor Allocate(string name, DType dtype, int rows, int columns = 1) =>
        new(dtype == DType.I32 ? new Memory<int>(name, rows * columns) : new Memory<float>(name, rows * columns), dtype, rows, columns);

    public override Tensor LoadVector(HostTensor source)
    {
        var vector = new Memory<float>(source.Name, source.Rows);
        Decode(source).CopyTo(vector.Values, 0);
        return new Tensor(vector, DType.F32, 1, source.Rows);
    }

    public override LinearWeight LoadLinear(string name, IReadOnlyList<HostTensor> parts, IReadOnlyList<HostTensor>? biases = null) =>
        new Linear32(
            name, parts[0].RowLength, parts.Sum(part => part.Rows), [.. parts.SelectMany(Decode)],
            biases is null ? null : [.. biases.SelectMany(Decode)]);

    public override LinearWeight LoadLinear(string name, IReadOnlyList<QuantizedMatrix> parts, IReadOnlyList<HostTensor>? biases = null) =>
        new Linear32(
        name,
        parts[0].InFeatures,
        parts.Sum(part => part.OutFeatures),
        [.. parts.SelectMany(QuantizedMatrices.Dequantize)],
        biases is null ? null : [.. biases.SelectMany(Decode)],
        parts[0].Inputs);

    public override EmbeddingTable LoadEmbedding(HostTensor source) =>
        new Embedding32(source.Name, source.Rows, source.RowLength, Decode(source));

    public override RopeTable LoadRope(RopeFrequencies frequencies) => new Rope(frequencies);

    public override KvCache AllocateKvCache(KvCacheLayout layout) => new PagedCache(layout);

    public override void Upload(ReadOnlySpan<int> values, Tensor destination) => values.CopyTo(Ints(destination));

    public override void Embed(Tensor ids, EmbeddingTable table, Tensor output)
    {
        var values = ((Embedding32)table).Values;
        for (var t = 0; t < ids.Rows; t++)
        {
            values.AsSpan(Ints(ids)[t] * table.Columns, table.Columns).CopyTo(Row(output, t));
        }
    }

    public override void EmbedShard(Tensor ids, int firstId, EmbeddingTable table, Tensor output)
    {
        var values = ((Embedding32)table).Values;
        for (var t = 0; t < ids.Rows; t++)
        {
            Row(output, t).Clear();
            if (Ints(ids)[t] - firstId is var row && row >= 0 && row < table.Rows)
            {
                values.AsSpan(row * table.Columns, table.Columns).CopyTo(Row(output, t));
            }
        }
    }

    public override void AllReduce(Tensor x) => group!.AllReduce(Floats(x));

    public override void AllGather(Tensor part, Tensor output)
    {
        for (var t = 0; t < part.Rows; t++)
        {
            group!.AllGather(Row(part, t), Row(output, t));
        }
    }

    public override void RmsNorm(Tensor x, Tensor weight, float epsilon, Tensor output)
    {
        for (var t = 0; t < x.Rows; t++)
        {
            var row = Row(x, t);
            var squares = 0.0;
            foreach (var value in row)
            {
                squares += (double)value * value;
            }

            var scale = 1 / Math.Sqrt((squares / x.Columns) + epsilon);
            for (var i = 0; i < x.Columns; i++)
            {
                Row(output, t)[i] = (float)(row[i] * scale * Floats(weight)[i]);
            }
        }
    }

    public override void AddRmsNorm(Tensor residual, Tensor x, Tensor weight, float epsilon, Tensor output)
    {
        Add(residual, x);
        RmsNorm(residual, weight, epsilon, output);
    }

    public override void Add(Tensor residual, Tensor x)
    {
        var sums = Floats(residual);
        var values = Floats(x);
        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] += values[i];
        }
    }

    public override void Linear(Tensor x, LinearWeight weight, Tensor output)
    {
        var (values, bias) = ((Linear32)weight).Parameters;
        for (var t = 0; t < x.Rows; t++)
        {
            var row = RoundsInputs ? Array.ConvertAll(Row(x, t).ToArray(), BFloat16.Round)
                : ((Linear32)weight).Inputs is { } rounding ? Bytes(Row(x, t).ToArray(), rounding)
                : Row(x, t);
            for (var n = 0; n < weight.OutFeatures; n++)
            {
                Row(output, t)[n] = (float)(Dot(row, values.AsSpan(n * weight.InFeatures, weight.InFeatures)) + (bias?[n] ?? 0));
            }
        }
    }

    /// <summary>What inputs are after they were signed bytes.</summary>
    private static float[] Bytes(float[] row, IntegerInputs rounding)
    {
        var scale = rounding.Scale ?? row.Max(Math.Abs) / 127;
        return scale == 0 ? row : [.. row.Select(x => (float)(Math.Clamp(Math.Round((double)x / scale), -128, 127) * scale))];
    }

    public override void RopeAndCache(
        Tensor qkv, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null)
    {
        var factors = KvScales.For(cache.Layout.DType, scales);
        var (headDim, kvHeads) = (cache.Layout.HeadDim, cache.Layout.KvHeads);
        var heads = (qkv.Columns / headDim) - (2 * kvHeads);
        for (var t = 0; t < qkv.Rows; t++)
        {
            var row = Row(qkv, t);
            for (var head = 0; rope is Rope table && head < heads + kvHeads; head++)
            {
                table.Rotate(row.Slice(head * headDim, headDim), Ints(inputs.Positions)[t]);
            }

            var slot = Ints(inputs.SlotMapping)[t];
            for (var head = 0; head < kvHeads; head++)
            {
                Store(
                    row.Slice((heads + head) * headDim, headDim), cache.Layout.DType, factors.Key,
                    ((PagedCache)cache).Key(layer, slot, head));
                Store(
                    row.Slice((heads + kvHeads + head) * headDim, headDim), cache.Layout.DType, factors.Value,
                    ((PagedCache)cache).Value(layer, slot, head));
            }
        }
    }

    public override void Rotate(Tensor x, RopeTable rope, Tensor positions, int firstHead, int heads, int headDim)
    {
        for (var t = 0; t < x.Rows; t++)
        {
            for (var head = firstHead; head < firstHead + heads; head++)
            {
                ((Rope)rope).Rotate(Row(x, t).Slice(head * headDim, headDim), Ints(positions)[t]);
            }
        }
    }

    public override void LatentToCache(Tensor latent, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null)
    {
        for (var t = 0; t < latent.Rows; t++)
        {
            Store(
                Row(latent, t), cache.Layout.DType, KvScales.For(cache.Layout.DType, scales).Key,
                ((PagedCache)cache).Key(layer, Ints(inputs.SlotMapping)[t], 0));
        }
    }

    public override void CopyKvBlocks(KvCache cache, Tensor pairs)
    {
        var paged = (PagedCache)cache;
        for (var pair = 0; pair < pairs.Rows; pair++)
        {
            for (var layer = 0; layer < cache.Layout.Layers; layer++)
            {
                for (var offset = 0; offset < cache.Layout.BlockSize; offset++)
                {
                    for (var head = 0; head < cache.Layout.KvHeads; head++)
                    {
                        var (source, destination) = (
                            Ints(pairs)[2 * pair] * cache.Layout.BlockSize + offset,
                            Ints(pairs)[2 * pair + 1] * cache.Layout.BlockSize + offset);
                        paged.Key(layer, source, head).CopyTo(paged.Key(layer, destination, head));
                        paged.Value(layer, source, head).CopyTo(paged.Value(layer, destination, head));
                    }
                }
            }
        }
    }

    public override void PagedAttention(
        Tensor qkv, in AttentionInputs inputs, KvCache cache, int layer, AttentionSettings settings, Tensor output)
    {
        var starts = Ints(inputs.QueryStarts);
        for (var sequence = 0; sequence < inputs.ContextLengths.Rows; sequence++)
        {
            var table = Ints(inputs.BlockTables).Slice(sequence * inputs.BlockTables.Columns, inputs.BlockTables.Columns);
            for (var t = starts[sequence]; t < starts[sequence + 1]; t++)
            {
                for (var head = 0; head < settings.Heads; head++)
                {
                    Attend(qkv, t, head, Ints(inputs.Positions)[t], table, (PagedCache)cache, layer, settings, output);
                }
            }
        }
    }

    public override void GatedActivation(Tensor gateUp, Activation activation, Tensor output)
    {
        for (var t = 0; t < output.Rows; t++)
        {
            for (var i = 0; i < output.Columns; i++)
            {
                Row(output, t)[i] = (float)(Apply(activation, Row(gateUp, t)[i]) * Row(gateUp, t)[i + output.Columns]);
            }
        }
    }

    public override void GatherRows(Tensor x, Tensor rows, Tensor output)
    {
        for (var i = 0; i < rows.Rows; i++)
        {
            Row(x, Ints(rows)[i]).CopyTo(Row(output, i));
        }
    }

    public override void Download(Tensor source, Span<float> destination) => Floats(source).CopyTo(destination);

    public override void Dispose()
    {
    }

    /// <summary>Stored and read again.</summary>
    private static void Store(ReadOnlySpan<float> values, DType dtype, float scale, Span<float> destination)
    {
        for (var i = 0; i < values.Length; i++)
        {
            destination[i] = dtype.Size() == 1
                ? Fp8Oracle.Of(dtype).Round(values[i] / scale) * scale
                : HostTensors.Rounded(dtype, values[i]);
        }
    }

    private static void Attend(
        Tensor qkv, int t, int head, int position, ReadOnlySpan<int> table, PagedCache cache, int layer, AttentionSettings settings,
        Tensor output)
    {
        var (headDim, blockSize) = (cache.Layout.HeadDim, cache.Layout.BlockSize);
        var kvHead = head / (settings.Heads / cache.Layout.KvHeads);
        var query = Row(qkv, t).Slice(head * headDim, headDim);
        var first = Math.Max(
            settings.SlidingWindow > 0 ? Math.Max(0, position - settings.SlidingWindow + 1) : 0,
            settings.Chunk > 0 ? position / settings.Chunk * settings.Chunk : 0);
        var scale = settings.Scale * (settings.QueryScales is { } temperatures ? (double)Floats(temperatures)[position] : 1);
        var sink = settings.Sinks is { } sinks ? Floats(sinks)[head] : double.NegativeInfinity;
        var weights = new double[position + 1];
        var max = sink;
        for (var p = first; p <= position; p++)
        {
            var score = Dot(query, cache.Key(layer, (table[p / blockSize] * blockSize) + (p % blockSize), kvHead)) * scale;
            weights[p] = settings.LogitSoftCap > 0 ? settings.LogitSoftCap * Math.Tanh(score / settings.LogitSoftCap) : score;
            weights[p] += settings.AlibiSlopes is { } slopes ? (double)Floats(slopes)[head] * (p - position) : 0;
            max = Math.Max(max, weights[p]);
        }

        var sum = Math.Exp(sink - max);
        var mixed = new double[cache.Layout.ValueDim];
        for (var p = first; p <= position; p++)
        {
            var weight = Math.Exp(weights[p] - max);
            var value = cache.Value(layer, (table[p / blockSize] * blockSize) + (p % blockSize), kvHead);
            sum += weight;
            for (var i = 0; i < mixed.Length; i++)
            {
                mixed[i] += weight * value[i];
            }
        }

        for (var i = 0; i < mixed.Length; i++)
        {
            Row(output, t)[(head * mixed.Length) + i] = (float)(mixed[i] / sum);
        }
    }

    private static double Apply(Activation activation, double x) => activation switch
    {
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Gelu => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        Activation.Sigmoid => 1 / (1 + Math.Exp(-x)),
        Activation.Relu2 => Math.Max(x, 0) * Math.Max(x, 0),
        _ => Math.Max(x, 0),
    };

    /// <summary>The series whose terms are all positive (DLMF 7.6.2), so that nothing cancels; beyond 6, erf is ±1 to the last
    /// bit.</summary>
    private static double Erf(double x)
    {
        if (Math.Abs(x) > 6)
        {
            return Math.Sign(x);
        }

        var (term, sum) = (x, x);
        for (var n = 1; Math.Abs(term) > 1e-17 * Math.Abs(sum); n++)
        {
            term *= 2 * x * x / ((2 * n) + 1);
            sum += term;
        }

        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
        {
            sum += (double)a[i] * b[i];
        }

        return sum;
    }

    private static float[] Decode(HostTensor source)
    {
        var values = new float[source.Rows * source.RowLength];
        for (var row = 0; row < source.Rows; row++)
        {
            var bytes = source.Row(row);
            for (var i = 0; i < source.RowLength; i++)
            {
                values[(row * source.RowLength) + i] = source.DType switch
                {
                    DType.F32 => BinaryPrimitives.ReadSingleLittleEndian(bytes[(4 * i)..]),
                    DType.BF16 => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt16LittleEndian(bytes[(2 * i)..]) << 16),
                    DType.F16 => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * i)..]),
                    _ => throw new NotSupportedException($"tensor '{source.Name}' is {source.DType}; supported: F32, F16, BF16"),
                };
            }
        }

        return values;
    }

    private static Span<int> Ints(Tensor tensor) => ((Memory<int>)tensor.Buffer).Values.AsSpan(0, tensor.Rows * tensor.Columns);

    private static Span<float> Floats(Tensor tensor) => ((Memory<float>)tensor.Buffer).Values.AsSpan(0, tensor.Rows * tensor.Columns);

    private static Span<float> Row(Tensor tensor, int row) => Floats(tensor).Slice(row * tensor.Columns, tensor.Columns);

    private sealed class Memory<T>(string name, int length) : DeviceBuffer(name, 4L * length)
        where T : unmanaged
    {
        public T[] Values { get; } = new T[length];
    }

    private sealed class Linear32(
        string name, int inFeatures, int outFeatures, float[] values, float[]? bias, IntegerInputs? inputs = null)
        : LinearWeight(name, inFeatures, outFeatures)
    {
        public override long ResidentBytes => 4L * (values.Length + (bias?.Length ?? 0));

        public (float[] Values, float[]? Bias) Parameters => (values, bias);

        public IntegerInputs? Inputs => inputs;
    }

    private sealed class Embedding32(string name, int rows, int columns, float[] values) : EmbeddingTable(name, rows, columns)
    {
        public float[] Values => values;

        public override long ResidentBytes => 4L * values.Length;
    }

    private sealed class Rope : RopeTable
    {
        private readonly RopeFrequencies _frequencies;

        public Rope(RopeFrequencies frequencies)
            : base(frequencies) => _frequencies = frequencies;

        public void Rotate(Span<float> head, int position)
        {
            var half = RotaryDim / 2;
            for (var i = 0; i < half; i++)
            {
                var (sin, cos) = Math.SinCos((double)position * _frequencies.InverseFrequencies[i]);
                var (first, second) = Interleaved ? (2 * i, 2 * i + 1) : (i, i + half);
                (first, second) = (FirstDim + first, FirstDim + second);
                var (a, b) = ((double)head[first], (double)head[second]);
                head[first] = (float)(_frequencies.AttentionScale * ((a * cos) - (b * sin)));
                head[second] = (float)(_frequencies.AttentionScale * ((b * cos) + (a * sin)));
            }
        }
    }

    /// <summary>Keys and values as [layer, slot, kvHead, headDim].</summary>
    private sealed class PagedCache(KvCacheLayout layout) : KvCache(layout)
    {
        private readonly float[] _keys = new float[layout.Layers * layout.NumBlocks * layout.BlockSize * layout.KvHeads * layout.HeadDim];
        private readonly float[] _values = new float[layout.Layers * layout.NumBlocks * layout.BlockSize * layout.KvHeads * layout.HeadDim];

        public Span<float> Key(int layer, int slot, int head) => _keys.AsSpan(Offset(layer, slot, head), Layout.HeadDim);

        public Span<float> Value(int layer, int slot, int head) =>
            Layout.IsLatent ? Key(layer, slot, head)[..Layout.LatentDim] : _values.AsSpan(Offset(layer, slot, head), Layout.HeadDim);

        private int Offset(int layer, int slot, int head) =>
            ((((layer * Layout.NumBlocks * Layout.BlockSize) + slot) * Layout.KvHeads) + head) * Layout.HeadDim;
    }
}
