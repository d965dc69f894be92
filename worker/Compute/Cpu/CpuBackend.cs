using System.Runtime.ExceptionServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Attention;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Memory;
using Cluster.Worker.Compute.Cpu.Quantized;
using Cluster.Worker.Compute.Cpu.Rows;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu;

/// <summary>Runs models on the processor, at once: every operation is done when it returns. Called by <c>Models.Transformer</c> through
/// <see cref="Backend"/>, by one thread. Memory, weights and whatever no vector width changes are here;
/// <see cref="VectorBackend{V, TSimd}"/> adds the arithmetic of one width.</summary>
/// <remarks>Owns all memory it hands out: tensors, weights and caches are invalid after <see cref="Dispose"/>.</remarks>
internal abstract unsafe partial class CpuBackend : Backend
{
    private readonly CpuOptions _options;
    private readonly ExpertRows _expertRows;
    private readonly List<NativeMemoryBlock> _memory = [];
    private long _allocatedBytes;

    /// <exception cref="ArgumentOutOfRangeException">There is no thread or no memory.</exception>
    private protected CpuBackend(CpuOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MemoryBytes, 1);
        _options = options;
        Threads = new WorkerThreads(options.Threads);
        _expertRows = new ExpertRows(this, Threads);
    }

    /// <summary>A backend with the kernels of <see cref="CpuOptions.Width"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no thread, no memory or no such width.</exception>
    public static CpuBackend Create(CpuOptions options) => options.Width switch
    {
        VectorWidth.Bits512 => new VectorBackend<Vector512<float>, Simd512>(options),
        VectorWidth.Bits256 => new VectorBackend<Vector256<float>, Simd256>(options),
        VectorWidth.Scalar => new VectorBackend<float, SimdScalar>(options),
        _ => throw new ArgumentOutOfRangeException(nameof(options), options.Width, "supported widths: Bits512, Bits256, Scalar"),
    };

    public override string Name => "cpu";

    public override string Description =>
        $"{InstructionSets.Describe(_options.Width)}, {Threads.Count} {(Threads.Count == 1 ? "thread" : "threads")}";

    /// <summary>The whole budget of <see cref="CpuOptions.MemoryBytes"/>; it does not shrink as memory is allocated.</summary>
    public override long AvailableBytes => _options.MemoryBytes;

    /// <summary>Outputs in a panel of <see cref="PackedWeight"/>.</summary>
    private protected abstract int PanelWidth { get; }

    private protected WorkerThreads Threads { get; }

    public override Tensor Allocate(string name, DType dtype, int rows, int columns = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        var block = AllocateMemory(name, checked((long)rows * columns * dtype.Size()), isZeroed: true);
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
        var width = PanelWidth;
        var panelBytes = PackedWeight.PanelBytesOf(inFeatures, format, width);
        var panelCount = PackedWeight.PanelsOf(outFeatures, width);
        var panels = AllocateMemory(name, panelCount * panelBytes);
        try
        {
            Parallel.For(
                0,
                panelCount,
                new ParallelOptions { MaxDegreeOfParallelism = Threads.Count },
                panel => PanelPacker.Pack(parts, format, panel, width, panels.Address + panel * panelBytes));
        }
        catch (AggregateException exceptions)
        {
            ExceptionDispatchInfo.Throw(exceptions.InnerExceptions[0]);
        }

        var bias = AllocateMemory(name, (long)panelCount * width * sizeof(float));
        bias.Clear();
        WriteBiases(biases ?? [], (float*)bias.Address);
        return Tunable(new PackedWeight(name, inFeatures, outFeatures, format, width, panels, bias));
    }

    public override void Release(Tensor tensor)
    {
        var block = ((CpuBuffer)tensor.Buffer).Block;
        if (_memory.Remove(block))
        {
            _allocatedBytes -= block.Bytes;
            block.Dispose();
        }
    }

    /// <summary>Weights' type as PyTorch calls it, or what there is no word for, for <see cref="Backend.Tuning"/>.</summary>
    private protected static string TypeOf(LinearWeight weight) => weight switch
    {
        PackedWeight { Format: DType.BF16 } => "BFloat16",
        PackedWeight { Format: DType.F16 } => "Half",
        QuantizedWeight quantized => quantized.TypeName,
        _ => "float",
    };

    private LinearWeight Tunable(LinearWeight weight)
    {
        Tuning.Loaded(TypeOf(weight), weight);
        return weight;
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

    /// <summary>Rows are looked up in the panels.</summary>
    public override (EmbeddingTable Table, LinearWeight Output) LoadTied(string name, HostTensor source, int firstRow, int rows)
    {
        var output = LoadLinear(name, [source]);
        return (new PackedEmbeddingTable((PackedWeight)output, firstRow, rows), output);
    }

    public override RopeTable LoadRope(RopeFrequencies frequencies)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(frequencies.MaxPositions, 1);
        var memory = AllocateMemory("rope", CpuRopeTable.BytesOf(frequencies));
        var table = new CpuRopeTable(frequencies, memory);
        table.Fill(frequencies);
        return table;
    }

    /// <exception cref="NotSupportedException">The cache has no floats, or its blocks are not whole tiles of 16 slots.</exception>
    public override KvCache AllocateKvCache(KvCacheLayout layout)
    {
        layout.RequireWhole();
        if (layout.DType is not (DType.F32 or DType.BF16 or DType.F16 or DType.F8E4M3 or DType.F8E5M2))
        {
            throw new NotSupportedException(
                $"a KV cache of {layout.DType} is not supported on cpu; supported: F32, BF16, F16, F8E4M3, F8E5M2");
        }

        if (layout.BlockSize < 1 || layout.BlockSize % CpuKvCache.TileSlots != 0)
        {
            throw new NotSupportedException(
                $"a block of {layout.BlockSize} slots is not supported on cpu; supported: multiples of {CpuKvCache.TileSlots}");
        }

        var memory = AllocateMemory("kv cache", checked(layout.BytesPerBlock * layout.NumBlocks));
        return new CpuKvCache(layout, memory);
    }

    public override void Upload(ReadOnlySpan<int> values, Tensor destination) =>
        values.CopyTo(new Span<int>(CpuBuffer.Integers(destination, values.Length), values.Length));

    public override void Embed(Tensor ids, EmbeddingTable table, Tensor output) => Embed(ids, firstId: 0, isShard: false, table, output);

    public override void EmbedShard(Tensor ids, int firstId, EmbeddingTable table, Tensor output) =>
        Embed(ids, firstId, isShard: true, table, output);

    private void Embed(Tensor ids, int firstId, bool isShard, EmbeddingTable table, Tensor output)
    {
        if (table is PackedEmbeddingTable { Weight: var weight, FirstRow: var firstRow })
        {
            RowRanges<EmbedPackedRows>.Run(Threads, output.Rows, output.Columns, new()
            {
                Panels = weight.Panels,
                Format = weight.Format,
                PanelBytes = weight.PanelBytes,
                PanelWidth = weight.PanelWidth,
                FirstRow = firstRow,
                TableRows = table.Rows,
                Ids = CpuBuffer.Integers(ids, output.Rows),
                Output = CpuBuffer.Floats(output, output.Rows, weight.InFeatures),
                Columns = weight.InFeatures,
                FirstId = firstId,
                IsShard = isShard,
            });
            return;
        }

        var source = (CpuEmbeddingTable)table;
        RowRanges<EmbedRows>.Run(Threads, output.Rows, output.Columns, new()
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

    public override void LatentToCache(Tensor latent, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null) =>
        RowRanges<LatentRows>.Run(Threads, latent.Rows, latent.Columns, new()
        {
            Latent = CpuBuffer.Floats(latent, latent.Rows, cache.Layout.HeadDim),
            Cache = ((CpuKvCache)cache).Layer(layer, scales),
            Slots = CpuBuffer.Integers(inputs.SlotMapping, latent.Rows),
            HeadDim = cache.Layout.HeadDim,
        });

    public override void CopyKvBlocks(KvCache cache, Tensor pairs)
    {
        var blocks = new ReadOnlySpan<int>(CpuBuffer.Integers(pairs, 2 * pairs.Rows), 2 * pairs.Rows);
        for (var i = 0; i < blocks.Length; i += 2)
        {
            ((CpuKvCache)cache).CopyBlock(blocks[i], blocks[i + 1]);
        }
    }

    public override void RouteToExperts(Tensor logits, in ExpertRouting routing, Tensor? correction, Tensor experts, Tensor weights)
    {
        routing.Check(logits, correction, experts);
        RowRanges<RoutedRows>.Run(Threads, logits.Rows, logits.Columns * experts.Columns, new()
        {
            Logits = CpuBuffer.Floats(logits, experts.Rows, logits.Columns),
            Experts = CpuBuffer.Integers(experts, (long)experts.Rows * experts.Columns),
            Weights = CpuBuffer.Floats(weights, experts.Rows, experts.Columns),
            Count = logits.Columns,
            Chosen = experts.Columns,
            Routing = routing,
            Correction = correction is { } added ? CpuBuffer.Floats(added, 1, logits.Columns) : null,
        });
    }

    public override void ExpertLinear(Tensor x, Tensor experts, ExpertWeights weights, Tensor output) =>
        _expertRows.Linear(x, experts, weights, output);

    public override void HeadLinear(Tensor x, ExpertWeights heads, Tensor output) => _expertRows.LinearByHead(x, heads, output);

    public override void GatherRows(Tensor x, Tensor rows, Tensor output) =>
        RowRanges<GatheredRows>.Run(Threads, output.Rows, output.Columns, new()
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
        Threads.Dispose();
        _expertRows.Dispose();
        _gathered.Dispose();
        foreach (var block in _memory)
        {
            block.Dispose();
        }

        _memory.Clear();
    }

    /// <summary>Memory the backend keeps until it is disposed of.</summary>
    /// <param name="isZeroed">Otherwise contents are undefined.</param>
    /// <exception cref="InsufficientMemoryException">The budget does not have it.</exception>
    private NativeMemoryBlock AllocateMemory(string name, long bytes, bool isZeroed = false)
    {
        if (bytes > _options.MemoryBytes - _allocatedBytes)
        {
            throw new InsufficientMemoryException(
                $"'{name}' needs {bytes} bytes, but {_allocatedBytes} of the {_options.MemoryBytes} bytes that may be used are taken");
        }

        var block = isZeroed ? NativeMemoryBlock.Zeroed(bytes) : new NativeMemoryBlock(bytes);
        _memory.Add(block);
        _allocatedBytes += bytes;
        return block;
    }
}
