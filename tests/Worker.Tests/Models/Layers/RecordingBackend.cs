using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>A device without memory: operations become lines of text that name buffers and shapes, and break a test when they break the
/// seam's contract. Stands for any backend that works asynchronously, since there is nothing here that a host could read.</summary>
/// <remarks>A tensor must come from this backend, fit the buffer behind it, and have been written earlier in the same pass if it is read:
/// leftovers of a step before would be read otherwise.</remarks>
internal sealed partial class RecordingBackend : Backend
{
    private readonly List<string> _operations = [];
    private readonly Dictionary<DeviceBuffer, long> _writtenBytes = [];
    private readonly HashSet<(DeviceBuffer Group, int Layer)> _cachedLayers = [];
    private int _buffers;

    public override string Name => "recording";

    public override string Description => "names and shapes only";

    public override long AvailableBytes => DeviceBytes;

    public long DeviceBytes { get; init; } = 16L << 30;

    /// <summary>Answers downloads with this value; null refuses them.</summary>
    public float? DownloadedValue { get; set; }

    /// <summary>When false, operations do nothing at all and allocate nothing.</summary>
    public bool Recording { get; set; } = true;

    public bool Disposed { get; private set; }

    public long AllocatedBytes { get; private set; }

    public long KvCacheBytes { get; private set; }

    public int Downloads { get; private set; }

    /// <summary>The operations since the last call; the next one begins a new pass.</summary>
    public IReadOnlyList<string> TakePass()
    {
        var pass = _operations.ToArray();
        _operations.Clear();
        _writtenBytes.Clear();
        _cachedLayers.Clear();
        return pass;
    }

    public override Tensor Allocate(string name, DType dtype, int rows, int columns = 1)
    {
        Assert.True(rows > 0 && columns > 0, $"{name} is allocated with shape [{rows}, {columns}]");
        Assert.Empty(_operations);
        var buffer = new Buffer($"{name}#{_buffers++}", (long)rows * columns * dtype.Size(), this);
        AllocatedBytes += buffer.ByteLength;
        return new Tensor(buffer, dtype, rows, columns);
    }

    public override Tensor LoadVector(HostTensor source)
    {
        Assert.Single(source.Shape);
        var buffer = new Buffer(source.Name, 4L * source.Rows, this) { IsConstant = true };
        return new Tensor(buffer, DType.F32, 1, source.Rows);
    }

    public override LinearWeight LoadLinear(string name, IReadOnlyList<HostTensor> parts, IReadOnlyList<HostTensor>? biases = null)
    {
        Assert.All(parts, part => Assert.Equal([part.Rows, parts[0].RowLength], part.Shape));
        if (biases is not null)
        {
            Assert.Equal(parts.Select(part => part.Rows), biases.Select(bias => Assert.Single(bias.Shape)));
        }

        return new RecordedLinear(name, parts[0].RowLength, parts.Sum(part => part.Rows), parts.Sum(part => part.ByteLength));
    }

    public override LinearWeight LoadLinear(string name, IReadOnlyList<QuantizedMatrix> parts, IReadOnlyList<HostTensor>? biases = null)
    {
        Assert.Single(parts.Select(part => part.InFeatures).Distinct());
        if (biases is not null)
        {
            Assert.Equal(parts.Select(part => part.OutFeatures), biases.Select(bias => Assert.Single(bias.Shape)));
        }

        var bytes = parts.Sum(part => (long)part.OutFeatures * part.InFeatures * part.Bits / 8);
        return new RecordedLinear(name, parts[0].InFeatures, parts.Sum(part => part.OutFeatures), bytes);
    }

    public override EmbeddingTable LoadEmbedding(HostTensor source) => new RecordedEmbedding(source);

    public override RopeTable LoadRope(RopeFrequencies frequencies) =>
        new RecordedRope(frequencies);

    public override KvCache AllocateKvCache(KvCacheLayout layout)
    {
        Assert.True(layout.NumBlocks > 0, "a cache without blocks");
        KvCacheBytes += layout.BytesPerBlock * layout.NumBlocks;
        return new RecordedCache(layout);
    }

    public override void Upload(ReadOnlySpan<int> values, Tensor destination)
    {
        if (Recording)
        {
            Assert.Equal(destination.Rows * destination.Columns, values.Length);
            Integers(destination, destination.Rows, destination.Columns);
            Write(destination);
            _operations.Add($"Upload({destination})");
        }
    }

    public override void Embed(Tensor ids, EmbeddingTable table, Tensor output)
    {
        if (Recording)
        {
            Read(Integers(ids, ids.Rows, 1));
            Write(Floats(output, ids.Rows, table.Columns));
            _operations.Add($"Embed({ids}, {table.Name}, {output})");
        }
    }

    public override void EmbedShard(Tensor ids, int firstId, EmbeddingTable table, Tensor output)
    {
        if (Recording)
        {
            Read(Integers(ids, ids.Rows, 1));
            Write(Floats(output, ids.Rows, table.Columns));
            _operations.Add($"EmbedShard({ids}, {firstId}, {table.Name}, {output})");
        }
    }

    public override void AllReduce(Tensor x)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            _operations.Add($"AllReduce({x})");
        }
    }

    public override void AllGather(Tensor part, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(part, part.Rows, part.Columns));
            Assert.Equal(0, output.Columns % part.Columns);
            Write(Floats(output, part.Rows, output.Columns));
            _operations.Add($"AllGather({part}, {output})");
        }
    }

    public override void RmsNorm(Tensor x, Tensor weight, float epsilon, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            Read(Floats(weight, 1, x.Columns));
            Write(Floats(output, x.Rows, x.Columns));
            _operations.Add($"RmsNorm({x}, {weight}, {epsilon}, {output})");
        }
    }

    public override void AddRmsNorm(Tensor residual, Tensor x, Tensor weight, float epsilon, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(residual, x.Rows, x.Columns));
            Read(Floats(x, x.Rows, x.Columns));
            Read(Floats(weight, 1, x.Columns));
            Write(Floats(output, x.Rows, x.Columns));
            Assert.NotSame(residual.Buffer, x.Buffer);
            Assert.NotSame(residual.Buffer, output.Buffer);
            _operations.Add($"AddRmsNorm({residual}, {x}, {weight}, {epsilon}, {output})");
        }
    }

    public override void Add(Tensor residual, Tensor x)
    {
        if (Recording)
        {
            Read(Floats(residual, x.Rows, x.Columns));
            Read(Floats(x, x.Rows, x.Columns));
            _operations.Add($"Add({residual}, {x})");
        }
    }

    public override void Linear(Tensor x, LinearWeight weight, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, weight.InFeatures));
            Write(Floats(output, x.Rows, weight.OutFeatures));
            Assert.NotSame(x.Buffer, output.Buffer);
            _operations.Add($"Linear({x}, {weight.Name}[{weight.OutFeatures},{weight.InFeatures}], {output})");
        }
    }

    public override void RopeAndCache(
        Tensor qkv, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null)
    {
        if (Recording)
        {
            Read(Floats(qkv, qkv.Rows, qkv.Columns));
            Read(Integers(inputs.Positions, qkv.Rows, 1));
            Read(Integers(inputs.SlotMapping, qkv.Rows, 1));
            Assert.InRange(layer, 0, cache.Layout.Layers - 1);
            Assert.True(_cachedLayers.Add((inputs.BlockTables.Buffer, layer)), $"layer {layer} is cached twice");
            rope?.RequireHeads(cache.Layout.HeadDim);
            _operations.Add($"RopeAndCache({qkv}, {rope?.RotaryDim}, {inputs.Positions}, {inputs.SlotMapping}, layer {layer})");
        }
    }

    public override void Rotate(Tensor x, RopeTable rope, Tensor positions, int firstHead, int heads, int headDim)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            Read(Integers(positions, x.Rows, 1));
            rope.RequireHeads(headDim);
            Assert.InRange((firstHead + heads) * headDim, 1, x.Columns);
            _operations.Add($"Rotate({x}, {rope.RotaryDim}, {positions}, {firstHead}, {heads}, {headDim})");
        }
    }

    public override void LatentToCache(Tensor latent, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null)
    {
        if (Recording)
        {
            Assert.True(cache.Layout.IsLatent);
            Read(Floats(latent, latent.Rows, cache.Layout.HeadDim));
            Read(Integers(inputs.SlotMapping, latent.Rows, 1));
            Assert.InRange(layer, 0, cache.Layout.Layers - 1);
            Assert.True(_cachedLayers.Add((inputs.BlockTables.Buffer, layer)), $"layer {layer} is cached twice");
            _operations.Add($"LatentToCache({latent}, {inputs.SlotMapping}, layer {layer})");
        }
    }

    public override void CopyKvBlocks(KvCache cache, Tensor pairs)
    {
        if (Recording)
        {
            Assert.Empty(_cachedLayers);
            Read(Integers(pairs, pairs.Rows, 2));
            _operations.Add($"CopyKvBlocks({pairs})");
        }
    }

    public override void PagedAttention(
        Tensor qkv, in AttentionInputs inputs, KvCache cache, int layer, AttentionSettings settings, Tensor output)
    {
        if (Recording)
        {
            var layout = cache.Layout;
            var sequences = inputs.ContextLengths.Rows;
            Assert.Contains((inputs.BlockTables.Buffer, layer), _cachedLayers);
            Assert.Equal(0, settings.Heads % layout.KvHeads);
            Read(Floats(qkv, qkv.Rows, layout.QueryColumns(settings.Heads)));
            Read(Integers(inputs.Positions, qkv.Rows, 1));
            Read(Integers(inputs.QueryStarts, sequences + 1, 1));
            Read(Integers(inputs.ContextLengths, sequences, 1));
            Read(Integers(inputs.BlockTables, sequences, inputs.BlockTables.Columns));
            if (settings.AlibiSlopes is { } slopes)
            {
                Read(Floats(slopes, 1, settings.Heads));
            }

            Assert.InRange(inputs.MaxQueryLength, 1, qkv.Rows);
            Assert.InRange(inputs.MaxContextLength, inputs.MaxQueryLength, inputs.BlockTables.Columns * layout.BlockSize);
            Write(Floats(output, qkv.Rows, settings.Heads * layout.ValueDim));
            Assert.NotSame(qkv.Buffer, output.Buffer);
            _operations.Add($"PagedAttention({qkv}, {inputs.QueryStarts}, {inputs.ContextLengths}, {inputs.BlockTables}, "
                + $"query {inputs.MaxQueryLength}, context {inputs.MaxContextLength}, layer {layer}, {settings}, {output})");
        }
    }

    public override void GatedActivation(Tensor gateUp, Activation activation, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(gateUp, output.Rows, 2 * output.Columns));
            Write(Floats(output, output.Rows, output.Columns));
            _operations.Add($"GatedActivation({gateUp}, {activation}, {output})");
        }
    }

    public override void GatherRows(Tensor x, Tensor rows, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            Read(Integers(rows, rows.Rows, 1));
            Write(Floats(output, rows.Rows, x.Columns));
            _operations.Add($"GatherRows({x}, {rows}, {output})");
        }
    }

    public override void Download(Tensor source, Span<float> destination)
    {
        Downloads++;
        if (Recording)
        {
            Assert.Equal(source.Rows * source.Columns, destination.Length);
            Read(Floats(source, source.Rows, source.Columns));
        }

        destination.Fill(DownloadedValue ?? throw new InvalidOperationException($"{source} was downloaded, which waits for the device"));
    }

    public override void Dispose() => Disposed = true;

    private Tensor Floats(Tensor tensor, int rows, int columns) => Shaped(tensor, DType.F32, rows, columns);

    private Tensor Integers(Tensor tensor, int rows, int columns) => Shaped(tensor, DType.I32, rows, columns);

    private Tensor Shaped(Tensor tensor, DType dtype, int rows, int columns)
    {
        Assert.Same(this, Assert.IsType<Buffer>(tensor.Buffer).Owner);
        Assert.Equal((dtype, rows, columns), (tensor.DType, tensor.Rows, tensor.Columns));
        Assert.True(Bytes(tensor) <= tensor.Buffer.ByteLength, $"{tensor} is larger than its buffer");
        return tensor;
    }

    private void Read(Tensor tensor)
    {
        if (!((Buffer)tensor.Buffer).IsConstant)
        {
            Assert.True(
                Bytes(tensor) <= _writtenBytes.GetValueOrDefault(tensor.Buffer), $"{tensor} is read before it is written in this pass");
        }
    }

    private void Write(Tensor tensor)
    {
        Assert.False(((Buffer)tensor.Buffer).IsConstant, $"{tensor} is a weight");
        _writtenBytes[tensor.Buffer] = Bytes(tensor);
    }

    private static long Bytes(Tensor tensor) => (long)tensor.Rows * tensor.Columns * tensor.DType.Size();

    private sealed class Buffer(string name, long byteLength, RecordingBackend owner) : DeviceBuffer(name, byteLength)
    {
        public RecordingBackend Owner => owner;

        public bool IsConstant { get; init; }
    }

    private sealed class RecordedLinear(string name, int inFeatures, int outFeatures, long bytes)
        : LinearWeight(name, inFeatures, outFeatures)
    {
        public override long ResidentBytes => bytes;
    }

    private sealed class RecordedEmbedding(HostTensor source) : EmbeddingTable(source.Name, source.Rows, source.RowLength)
    {
        public override long ResidentBytes { get; } = source.ByteLength;
    }

    private sealed class RecordedRope(RopeFrequencies frequencies) : RopeTable(frequencies);

    private sealed class RecordedCache(KvCacheLayout layout) : KvCache(layout);
}
