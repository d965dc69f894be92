using Cluster.Worker.Compute.Cpu.Attention;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Memory;
using Cluster.Worker.Compute.Cpu.Quantized;
using Cluster.Worker.Compute.Cpu.Rows;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu;

/// <summary>The operations of one vector width: unwraps tensors, checks that they fit together, sizes scratch memory and splits the work
/// over threads. Made by <see cref="CpuBackend.Create"/>.</summary>
/// <exception cref="ArgumentException">Every operation: a tensor has another shape or dtype than the others ask for.</exception>
internal sealed unsafe partial class VectorBackend<V, TSimd>(CpuOptions options) : CpuBackend(options)
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>Weights that the smallest task of a decode step should stream: enough to be worth claiming, few enough to
    /// balance.</summary>
    private const int BytesPerTask = 64 * 1024;

    private readonly ScratchMemory _inputTiles = new();
    private readonly ScratchMemory _segmentInputs = new();
    private readonly ScratchMemory _terms = new();
    private readonly ScratchMemory _resultTiles = new();
    private readonly ScratchMemory _embeddings = new();

    private protected override int PanelWidth => 2 * TSimd.Lanes;

    public override void RmsNorm(Tensor x, Tensor weight, float epsilon, Tensor output) =>
        Normalize(x, addend: null, weight, epsilon, output);

    public override void AddRmsNorm(Tensor residual, Tensor x, Tensor weight, float epsilon, Tensor output) =>
        Normalize(residual, CpuBuffer.Floats(x, residual.Rows, residual.Columns), weight, epsilon, output);

    public override void Add(Tensor residual, Tensor x) => RowRanges<AddRows<V, TSimd>>.Run(Threads, x.Rows, x.Columns, new()
    {
        Residual = CpuBuffer.Floats(residual, x.Rows, x.Columns),
        X = CpuBuffer.Floats(x, x.Rows, x.Columns),
        Columns = x.Columns,
    });

    public override void Linear(Tensor x, LinearWeight weight, Tensor output)
    {
        if (weight is QuantizedWeight quantized)
        {
            Multiply(x, quantized, output);
            return;
        }

        var packed = (PackedWeight)weight;
        switch (packed.Format)
        {
            case DType.BF16:
                Multiply<Bf16Panel>(x, packed, output);
                break;
            case DType.F16:
                Multiply<F16Panel>(x, packed, output);
                break;
            default:
                Multiply<F32Panel>(x, packed, output);
                break;
        }
    }

    public override void RopeAndCache(
        Tensor qkv, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null)
    {
        var layout = cache.Layout;
        var heads = qkv.Columns / layout.HeadDim - 2 * layout.KvHeads;
        rope?.RequireHeads(layout.HeadDim);
        RowRanges<RopeAndCacheRows<V, TSimd>>.Run(Threads, qkv.Rows, qkv.Columns, new()
        {
            Qkv = CpuBuffer.Floats(qkv, qkv.Rows, (heads + 2 * layout.KvHeads) * layout.HeadDim),
            Rotation = rope is null ? null : new Rotation<V, TSimd>((CpuRopeTable)rope),
            Cache = ((CpuKvCache)cache).Layer(layer, scales),
            Positions = CpuBuffer.Integers(inputs.Positions, qkv.Rows),
            Slots = CpuBuffer.Integers(inputs.SlotMapping, qkv.Rows),
            Heads = heads,
            KvHeads = layout.KvHeads,
            HeadDim = layout.HeadDim,
        });
    }

    public override void Rotate(Tensor x, RopeTable rope, Tensor positions, int firstHead, int heads, int headDim)
    {
        rope.RequireHeads(headDim);
        if (firstHead < 0 || heads < 0 || (firstHead + (long)heads) * headDim > x.Columns)
        {
            throw new ArgumentException($"{x} has no {heads} heads of {headDim} from head {firstHead} on");
        }

        RowRanges<RotatedRows<V, TSimd>>.Run(Threads, x.Rows, heads * headDim, new()
        {
            FirstHead = CpuBuffer.Floats(x, x.Rows, x.Columns) + (long)firstHead * headDim,
            Rotation = new((CpuRopeTable)rope),
            Positions = CpuBuffer.Integers(positions, x.Rows),
            Stride = x.Columns,
            Heads = heads,
            HeadDim = headDim,
        });
    }

    public override void GatedActivation(Tensor gateUp, Activation activation, Tensor output)
    {
        switch (activation)
        {
            case Activation.Silu:
                Activate<Silu>(gateUp, output);
                break;
            case Activation.Gelu:
                Activate<Gelu>(gateUp, output);
                break;
            case Activation.GeluTanh:
                Activate<GeluTanh>(gateUp, output);
                break;
            case Activation.Relu:
                Activate<Relu>(gateUp, output);
                break;
            case Activation.Sigmoid:
                Activate<Sigmoid>(gateUp, output);
                break;
            case Activation.Relu2:
                Activate<Relu2>(gateUp, output);
                break;
            default:
                throw new NotSupportedException($"activation {activation} is not supported");
        }
    }

    public override void Dispose()
    {
        _inputTiles.Dispose();
        _segmentInputs.Dispose();
        _terms.Dispose();
        _resultTiles.Dispose();
        _attention.Dispose();
        _attentionParts.Dispose();
        _embeddings.Dispose();
        base.Dispose();
    }

    private void Normalize(Tensor x, float* addend, Tensor weight, float epsilon, Tensor output) =>
        RowRanges<NormRows<V, TSimd>>.Run(Threads, x.Rows, x.Columns, new()
        {
            Input = CpuBuffer.Floats(x, x.Rows, x.Columns),
            Addend = addend,
            Weight = CpuBuffer.Floats(weight, 1, x.Columns),
            Output = CpuBuffer.Floats(output, x.Rows, x.Columns),
            Columns = x.Columns,
            Epsilon = epsilon,
        });

    private void Activate<TActivation>(Tensor gateUp, Tensor output)
        where TActivation : IActivation =>
        RowRanges<ActivationRows<V, TSimd, TActivation>>.Run(Threads, output.Rows, 2 * output.Columns, new()
        {
            GateUp = CpuBuffer.Floats(gateUp, output.Rows, 2 * output.Columns),
            Output = CpuBuffer.Floats(output, output.Rows, output.Columns),
            Columns = output.Columns,
        });

    private void Multiply<TFormat>(Tensor x, PackedWeight weight, Tensor output)
        where TFormat : IPanelFormat
    {
        var inputs = CpuBuffer.Floats(x, x.Rows, weight.InFeatures);
        var results = CpuBuffer.Floats(output, x.Rows, weight.OutFeatures);
        var tiles = new InputTiles(x.Rows, weight.InFeatures, TSimd.MaxRows);
        var tileMemory = _inputTiles.Floats(tiles.Length);
        Threads.Run(tiles.Count, tiles.Length, new TileFilling(tiles, inputs, tileMemory));

        var cut = CutFor(weight, x.Rows);
        var job = new GemmJob<V, TSimd, TFormat>
        {
            Inputs = tileMemory,
            Panels = weight.Panels,
            Bias = weight.Bias,
            Output = results,
            Scratch = _resultTiles.Floats((long)GemmJob<V, TSimd, TFormat>.ScratchFloats * Threads.Count),
            Tiles = tiles,
            Pairs = weight.Pairs,
            OutFeatures = weight.OutFeatures,
            OutputStride = weight.OutFeatures,
            PanelCount = weight.PanelCount,
            Split = SplitOf(weight.PanelCount, weight.PanelBytes, tiles, cut),
            Cut = cut,
        };
        Threads.Run(job.Tasks, (long)x.Rows * weight.InFeatures * weight.OutFeatures, job);
    }

    public override IReadOnlyList<string> VariantsOf(LinearWeight weight, int rows) =>
        new InputTiles(rows, weight.InFeatures, TSimd.MaxRows).Count == 1 ? GemmCut.ForOneTile : GemmCut.ForManyTiles;

    private GemmCut CutFor(LinearWeight weight, int rows) => GemmCut.Of(Tuning.VariantFor(TypeOf(weight), rows, weight));

    /// <summary>The smallest task is an even number of panels for one or two rows, as their kernels take panels in twos: enough to
    /// stream. For more rows it is one panel; then as many more or fewer as the cut says.</summary>
    private PanelSplit SplitOf(int panelCount, long panelBytes, InputTiles tiles, GemmCut cut)
    {
        var together = tiles.Count == 1 && tiles.KernelRows(0) <= 2 ? 2 : 1;
        var usual = tiles.Count == 1 ? Math.Max(together, BytesPerTask / panelBytes) : 1;
        return new PanelSplit(panelCount, Threads.Count, Math.Max(together, (int)(usual * cut.TaskScale) / together * together));
    }
}
