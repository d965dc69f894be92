using System.Runtime.ExceptionServices;
using Cluster.Worker.Compute.Cpu.Quantized;

namespace Cluster.Worker.Compute.Cpu;

/// <summary>Runs models on the processor, at once: every operation is done when it returns. Called by <c>Models.Transformer</c> through
/// <see cref="Backend"/>, by one thread; the arithmetic is in <see cref="VectorKernels{V, TSimd}"/>.</summary>
/// <remarks>Owns all memory it hands out: tensors, weights and caches are invalid after <see cref="Dispose"/>.</remarks>
internal sealed unsafe partial class CpuBackend : Backend
{
    private readonly CpuOptions _options;
    private readonly WorkerThreads _threads;
    private readonly CpuKernels _kernels;
    private readonly ExpertRows _expertRows;
    private readonly List<NativeMemoryBlock> _memory = [];
    private long _allocatedBytes;

    /// <exception cref="ArgumentOutOfRangeException">There is no thread, no memory or no such width.</exception>
    public CpuBackend(CpuOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MemoryBytes, 1);
        _options = options;
        _threads = new WorkerThreads(options.Threads);
        _kernels = CpuKernels.Create(options.Width, _threads);
        _expertRows = new ExpertRows(this, _threads);
    }

    public override string Name => "cpu";

    public override string Description => $"{InstructionSets.Describe(_options.Width)}, {_threads.Count} {(_threads.Count == 1 ? "thread" : "threads")}";

    /// <summary>The whole budget of <see cref="CpuOptions.MemoryBytes"/>; it does not shrink as memory is allocated.</summary>
    public override long AvailableBytes => _options.MemoryBytes;

    public override Tensor Allocate(string name, DType dtype, int rows, int columns = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        var block = AllocateMemory(name, checked((long)rows * columns * dtype.Size()));
        block.Clear();
        return new Tensor(new CpuBuffer(name, block), dtype, rows, columns);
    }

    public override Tensor LoadVector(HostTensor source)
    {
        WeightReader.RequireReadable(source);
        var length = checked(source.Rows * source.RowLength);
        var vector = Allocate(source.Name, DType.F32, 1, length);
        var floats = CpuBuffer.Floats(vector, 1, length);
        for (var row = 0; row < source.Rows; row++)
        {
            WeightReader.ReadRow(source, row, new Span<float>(floats + (long)row * source.RowLength, source.RowLength));
        }

        return vector;
    }

    public override LinearWeight LoadLinear(string name, IReadOnlyList<HostTensor> parts, IReadOnlyList<HostTensor>? biases = null)
    {
        var (inFeatures, outFeatures) = LinearShape.Check(name, parts, biases);
        var format = PanelPacker.FormatOf(parts);
        var width = _kernels.PanelWidth;
        var panelBytes = PackedWeight.PanelBytesOf(inFeatures, format, width);
        var panelCount = PackedWeight.PanelsOf(outFeatures, width);
        var panels = AllocateMemory(name, panelCount * panelBytes);
        try
        {
            Parallel.For(
                0,
                panelCount,
                new ParallelOptions { MaxDegreeOfParallelism = _threads.Count },
                panel => PanelPacker.Pack(parts, format, panel, width, panels.Address + panel * panelBytes));
        }
        catch (AggregateException exceptions)
        {
            ExceptionDispatchInfo.Throw(exceptions.InnerExceptions[0]);
        }

        var bias = AllocateMemory(name, (long)panelCount * width * sizeof(float));
        bias.Clear();
        WriteBiases(biases ?? [], (float*)bias.Address);
        return new PackedWeight(name, inFeatures, outFeatures, format, width, panels, bias);
    }

    public override EmbeddingTable LoadEmbedding(HostTensor source)
    {
        WeightReader.RequireReadable(source);
        var memory = AllocateMemory(source.Name, source.ByteLength);
        var rowBytes = source.RowLength * source.DType.Size();
        for (var row = 0; row < source.Rows; row++)
        {
            source.Row(row).CopyTo(new Span<byte>(memory.Address + (long)row * rowBytes, rowBytes));
        }

        return new CpuEmbeddingTable(source.Name, source.Rows, source.RowLength, source.DType, memory);
    }

    public override RopeTable LoadRope(RopeFrequencies frequencies)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(frequencies.MaxPositions, 1);
        var memory = AllocateMemory("rope", CpuRopeTable.BytesOf(frequencies));
        var table = new CpuRopeTable(2 * frequencies.InverseFrequencies.Length, frequencies.MaxPositions, memory);
        table.Fill(frequencies);
        return table;
    }

    /// <exception cref="NotSupportedException">The cache is neither F32 nor FP8, or its blocks are not whole tiles of 16 slots.</exception>
    public override KvCache AllocateKvCache(KvCacheLayout layout)
    {
        if (layout.DType is not (DType.F32 or DType.F8E4M3 or DType.F8E5M2))
        {
            throw new NotSupportedException($"a KV cache of {layout.DType} is not supported on cpu; supported: F32, F8E4M3, F8E5M2");
        }

        if (layout.BlockSize < 1 || layout.BlockSize % CpuKvCache.TileSlots != 0)
        {
            throw new NotSupportedException($"a block of {layout.BlockSize} slots is not supported on cpu; supported: multiples of {CpuKvCache.TileSlots}");
        }

        var memory = AllocateMemory("kv cache", checked(layout.BytesPerBlock * layout.NumBlocks));
        return new CpuKvCache(layout, memory);
    }

    public override void Upload(ReadOnlySpan<int> values, Tensor destination) =>
        values.CopyTo(new Span<int>(CpuBuffer.Integers(destination, values.Length), values.Length));

    public override void Embed(Tensor ids, EmbeddingTable table, Tensor output) => Embed(ids, firstId: 0, isShard: false, table, output);

    public override void EmbedShard(Tensor ids, int firstId, EmbeddingTable table, Tensor output) => Embed(ids, firstId, isShard: true, table, output);

    private void Embed(Tensor ids, int firstId, bool isShard, EmbeddingTable table, Tensor output)
    {
        var source = (CpuEmbeddingTable)table;
        RowRanges<EmbedRows>.Run(_threads, output.Rows, output.Columns, new()
        {
            Table = source.Address,
            DType = source.DType,
            TableRows = source.Rows,
            Ids = CpuBuffer.Integers(ids, output.Rows),
            Output = CpuBuffer.Floats(output, output.Rows, source.Columns),
            Columns = source.Columns,
            FirstId = firstId,
            IsShard = isShard,
        });
    }

    public override void AddEmbedding(Tensor ids, EmbeddingTable table, Tensor output) => _kernels.AddEmbedding(ids, (CpuEmbeddingTable)table, output);

    public override void RmsNorm(Tensor x, Tensor weight, float epsilon, Tensor output) => _kernels.RmsNorm(x, weight, epsilon, output);

    public override void AddRmsNorm(Tensor residual, Tensor x, Tensor weight, float epsilon, Tensor output) =>
        _kernels.AddRmsNorm(residual, x, weight, epsilon, output);

    public override void RmsNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon) =>
        _kernels.RmsNormHeads(x, firstHead, heads, weight, epsilon);

    public override void LayerNorm(Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output) =>
        _kernels.LayerNorm(x, weight, bias, epsilon, output);

    public override void AddLayerNorm(Tensor residual, Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output) =>
        _kernels.AddLayerNorm(residual, x, weight, bias, epsilon, output);

    public override void Scale(Tensor x, float factor) => _kernels.Scale(x, factor);

    public override void SoftCap(Tensor x, float cap) => _kernels.SoftCap(x, cap);

    public override void Add(Tensor residual, Tensor x) => _kernels.Add(residual, x);

    public override void Linear(Tensor x, LinearWeight weight, Tensor output)
    {
        if (weight is QuantizedWeight quantized)
        {
            _kernels.Linear(x, quantized, output);
        }
        else
        {
            _kernels.Linear(x, (PackedWeight)weight, output);
        }
    }

    public override void RopeAndCache(Tensor qkv, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer) =>
        _kernels.RopeAndCache(qkv, (CpuRopeTable?)rope, inputs, (CpuKvCache)cache, layer);

    public override void CopyKvBlocks(KvCache cache, Tensor pairs)
    {
        var blocks = new ReadOnlySpan<int>(CpuBuffer.Integers(pairs, 2 * pairs.Rows), 2 * pairs.Rows);
        for (var i = 0; i < blocks.Length; i += 2)
        {
            ((CpuKvCache)cache).CopyBlock(blocks[i], blocks[i + 1]);
        }
    }

    public override void PagedAttention(
        Tensor qkv, in AttentionInputs inputs, KvCache cache, int layer, AttentionSettings settings, Tensor output) =>
        _kernels.PagedAttention(qkv, inputs, (CpuKvCache)cache, layer, settings, output);

    public override void GatedActivation(Tensor gateUp, Activation activation, Tensor output) =>
        _kernels.GatedActivation(gateUp, activation, output);

    public override void Activate(Tensor x, Activation activation) => _kernels.Activate(x, activation);

    public override void RouteToExperts(Tensor logits, bool normalize, Tensor experts, Tensor weights)
    {
        if (experts.Columns > logits.Columns)
        {
            throw new ArgumentException($"{experts} asks for more experts of a token than {logits} has");
        }

        RowRanges<RoutedRows>.Run(_threads, logits.Rows, logits.Columns * experts.Columns, new()
        {
            Logits = CpuBuffer.Floats(logits, experts.Rows, logits.Columns),
            Experts = CpuBuffer.Integers(experts, (long)experts.Rows * experts.Columns),
            Weights = CpuBuffer.Floats(weights, experts.Rows, experts.Columns),
            Count = logits.Columns,
            Chosen = experts.Columns,
            Normalize = normalize,
        });
    }

    public override void ExpertLinear(Tensor x, Tensor experts, ExpertWeights weights, Tensor output) => _expertRows.Linear(x, experts, weights, output);

    public override void SumExperts(Tensor x, Tensor weights, Tensor output) => _kernels.SumExperts(x, weights, output);

    public override void GatherRows(Tensor x, Tensor rows, Tensor output) =>
        RowRanges<GatheredRows>.Run(_threads, output.Rows, output.Columns, new()
        {
            X = CpuBuffer.Floats(x, x.Rows, output.Columns),
            XRows = x.Rows,
            Rows = CpuBuffer.Integers(rows, output.Rows),
            Output = CpuBuffer.Floats(output, output.Rows, output.Columns),
            Columns = output.Columns,
        });

    public override void Download(Tensor source, Span<float> destination)
    {
        var length = checked(source.Rows * source.Columns);
        new ReadOnlySpan<float>(CpuBuffer.Floats(source, source.Rows, source.Columns), length).CopyTo(destination);
    }

    public override void Dispose()
    {
        _threads.Dispose();
        _kernels.Dispose();
        _expertRows.Dispose();
        _gathered.Dispose();
        foreach (var block in _memory)
        {
            block.Dispose();
        }

        _memory.Clear();
    }

    /// <summary>Memory the backend keeps until it is disposed of, contents undefined.</summary>
    /// <exception cref="InsufficientMemoryException">The budget does not have it.</exception>
    private NativeMemoryBlock AllocateMemory(string name, long bytes)
    {
        if (bytes > _options.MemoryBytes - _allocatedBytes)
        {
            throw new InsufficientMemoryException(
                $"'{name}' needs {bytes} bytes, but {_allocatedBytes} of the {_options.MemoryBytes} bytes that may be used are taken");
        }

        var block = new NativeMemoryBlock(bytes);
        _memory.Add(block);
        _allocatedBytes += bytes;
        return block;
    }
}
