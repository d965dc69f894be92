using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>Runs models with kernels that ILGPU has compiled, on whatever device the launcher drives: every operation is enqueued, only
/// <see cref="Download"/> waits. Called by <c>Models.Transformer</c> through <see cref="Backend"/>, by one thread. This file has memory and
/// the operations on rows; the others have weights, attention, experts and ranks.</summary>
/// <remarks>A row's bits depend on its own inputs alone: no kernel lets rows share a sum, and which kernel runs is decided by the shape of
/// a row, not by the number of rows.</remarks>
internal sealed partial class IlgpuBackend : Backend
{
    private readonly IKernelLauncher _launcher;
    private readonly IlgpuOptions _options;
    private readonly DeviceArena _arena;
    private readonly WeightPacker _packer;
    private readonly MemoryRange _nothing;

    /// <param name="launcher">Taken over: disposed of with the backend.</param>
    public IlgpuBackend(IKernelLauncher launcher, IlgpuOptions options)
    {
        _launcher = launcher;
        _options = options;
        AvailableBytes = Math.Min(options.MemoryBytes ?? long.MaxValue, launcher.Device.MemoryBytes);
        _arena = new DeviceArena(launcher, AvailableBytes);
        _packer = new WeightPacker(launcher);
        _nothing = _arena.Take("placeholder", 16);
        if (options.Devices is { } devices)
        {
            ((IStreamLauncher)launcher).WhileWaiting = devices.CheckHealth;
        }
    }

    public override string Name => _launcher.Device.Kind;

    public override string Description => _launcher.Device.ToString();

    /// <summary>What the backend may take; it does not shrink as memory is allocated.</summary>
    public override long AvailableBytes { get; }

    public override long KernelsBuilt => _launcher.KernelsBuilt;

    public override Tensor Allocate(string name, DType dtype, int rows, int columns = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        var range = _arena.Take(name, checked((long)rows * columns * dtype.Size()));
        _launcher.Clear(range);
        return new Tensor(new IlgpuBuffer(name, range), dtype, rows, columns);
    }

    public override void Release(Tensor tensor) => _arena.Return(((IlgpuBuffer)tensor.Buffer).Range);

    public override DeviceSampler? CreateSampler(int vocabSize, int maxDraws) =>
        vocabSize <= Selection.MaxVocabulary ? new IlgpuSampler(_launcher, _arena, vocabSize, maxDraws) : null;

    public override void Upload(ReadOnlySpan<int> values, Tensor destination)
    {
        _sorted = default;
        _launcher.Write(RangeOf(destination, DType.I32, values.Length), MemoryMarshal.AsBytes(values));
    }

    public override void Embed(Tensor ids, EmbeddingTable table, Tensor output) =>
        Embed(ids, 0, (IlgpuEmbeddingTable)table, output, add: false);

    public override void AddEmbedding(Tensor ids, EmbeddingTable table, Tensor output) =>
        Embed(ids, 0, (IlgpuEmbeddingTable)table, output, add: true);

    public override void EmbedShard(Tensor ids, int firstId, EmbeddingTable table, Tensor output) =>
        Embed(ids, firstId, (IlgpuEmbeddingTable)table, output, add: false);

    public override void RmsNorm(Tensor x, Tensor weight, float epsilon, Tensor output) => Rms(x, null, weight, epsilon, output);

    public override void AddRmsNorm(Tensor residual, Tensor x, Tensor weight, float epsilon, Tensor output) =>
        Rms(residual, x, weight, epsilon, output);

    public override void RmsNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon) =>
        RmsHeads(x, firstHead, heads, weight, heads, weight, epsilon);

    public override void RmsNormHeads(Tensor x, int heads, Tensor weight, int nextHeads, Tensor nextWeight, float epsilon) =>
        RmsHeads(x, 0, heads + nextHeads, weight, heads, nextWeight, epsilon);

    public override void LayerNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon)
    {
        if (firstHead < 0 || heads < 1 || weight.Columns % heads != 0 || (firstHead + (long)heads) * (weight.Columns / heads) > x.Columns)
        {
            throw new ArgumentException($"{x} has no {heads} heads from head {firstHead} on that {weight} are the weights of");
        }

        _launcher.Launch(
            BackendKernels.LayerHeads, new GridSize(heads, x.Rows), x, weight, x.Columns, firstHead, weight.Columns / heads, epsilon);
    }

    public override void SumSquares(Tensor x, int first, int count, Tensor sums, int column)
    {
        RequireColumns(x, first, count);
        RequireColumns(sums, column, 1);
        _launcher.Launch(BackendKernels.SumSquares, new GridSize(x.Rows), x, sums, x.Columns, first, count, sums.Columns, column);
    }

    public override void RmsScale(Tensor x, int first, Tensor weight, Tensor sums, int column, int features, float epsilon)
    {
        RequireColumns(x, first, weight.Columns);
        RequireColumns(sums, column, 1);
        _launcher.Launch(
            BackendKernels.RmsScale, new GridSize(GridSize.Groups(weight.Columns, Elementwise.OfGroup), x.Rows), x, weight, sums, x.Columns,
            first, weight.Columns, sums.Columns, column, features, epsilon);
    }

    public override void LayerNorm(Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output) =>
        Layer(x, null, weight, bias, epsilon, output);

    public override void AddLayerNorm(Tensor residual, Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output) =>
        Layer(residual, x, weight, bias, epsilon, output);

    public override void Add(Tensor residual, Tensor x)
    {
        Require(x, residual.Rows, residual.Columns);
        var count = checked(x.Rows * x.Columns);
        _launcher.Launch(BackendKernels.Add, Pieces(count), residual, x, count);
    }

    public override void Scale(Tensor x, float factor) => Apply(BackendKernels.Scale, x, factor);

    public override void ScaleRows(Tensor x, Tensor factors) =>
        _launcher.Launch(BackendKernels.ScaleRows, Pieces(x), x, RangeOf(factors, DType.F32, x.Rows), x.Columns);

    public override void SoftCap(Tensor x, float cap) => Apply(BackendKernels.SoftCap, x, cap);

    public override void Activate(Tensor x, Activation activation) => Apply(BackendKernels.Activations[activation].Plain, x, 0);

    public override void Xielu(Tensor x, XieluScalars scalars)
    {
        var count = checked(x.Rows * x.Columns);
        _launcher.Launch(
            BackendKernels.Xielu, Pieces(count), x, count, scalars.AlphaPositive, scalars.AlphaNegative, scalars.Beta, scalars.Epsilon);
    }

    public override void GatedActivation(Tensor gateUp, Activation activation, Tensor output)
    {
        Require(gateUp, output.Rows, 2 * output.Columns);
        _launcher.Launch(BackendKernels.Activations[activation].Gated, Pieces(output), gateUp, output, output.Columns);
    }

    public override void ClampedActivation(Tensor gateUp, float limit, Tensor output)
    {
        Require(gateUp, output.Rows, 2 * output.Columns);
        _launcher.Launch(BackendKernels.ClampedGate, Pieces(output), gateUp, output, output.Columns, limit);
    }

    public override void GatherRows(Tensor x, Tensor rows, Tensor output)
    {
        Require(x, x.Rows, output.Columns);
        _launcher.Launch(BackendKernels.Gather, Pieces(output), x, RangeOf(rows, DType.I32, output.Rows), output, output.Columns);
    }

    public override void Download(Tensor source, Span<float> destination)
    {
        var length = checked(source.Rows * source.Columns);
        if (length > 0)
        {
            _launcher.Read(RangeOf(source, DType.F32, length), MemoryMarshal.AsBytes(destination[..length]));
        }
    }

    public override void DownloadRows(Tensor source, int firstRow, Span<float> destination)
    {
        var from = sizeof(float) * (long)firstRow * source.Columns;
        var range = RangeOf(source, DType.F32, checked(source.Rows * source.Columns));
        _launcher.Read(range.Slice(from, sizeof(float) * (long)destination.Length), MemoryMarshal.AsBytes(destination));
    }

    public override void Dispose()
    {
        try
        {
            ForgetGraphs();
        }
        catch (Exception exception) when (exception is DeviceLostException or InvalidOperationException or RankLostException)
        {
            // With a lost device its graphs are gone, too; with a lost rank they never end by themselves.
        }

        if (_options.Devices is { } devices)
        {
            // Ends what waits for a lost rank: from here on the stream comes to its end.
            devices.Dispose();
            ((IStreamLauncher)_launcher).WhileWaiting = null;
        }

        _packer.Dispose();
        _arena.Dispose();
        _launcher.Dispose();
    }

    private static GridSize Pieces(long count) => new(checked((int)((count + Elementwise.OfGroup - 1) / Elementwise.OfGroup)));

    /// <summary>Groups for the pieces of each row.</summary>
    private static GridSize Pieces(Tensor rows) => new(GridSize.Groups(rows.Columns, Rows.FloatsOfGroup), rows.Rows);

    /// <exception cref="ArgumentException">A tensor has another shape or type than the operation asks for.</exception>
    private static void Require(Tensor tensor, int rows, int columns)
    {
        if (tensor.DType != DType.F32 || tensor.Rows != rows || tensor.Columns != columns)
        {
            throw new ArgumentException($"{tensor} given where F32[{rows},{columns}] is needed");
        }
    }

    /// <exception cref="ArgumentException">The tensor has no such columns.</exception>
    private static void RequireColumns(Tensor x, int first, int count)
    {
        if (first < 0 || count < 1 || first + (long)count > x.Columns)
        {
            throw new ArgumentException($"{x} has no {count} columns from {first} on");
        }
    }

    /// <summary>The first elements of a tensor.</summary>
    /// <exception cref="ArgumentException">It has fewer, or others.</exception>
    private static MemoryRange RangeOf(Tensor tensor, DType dtype, long elements)
    {
        var range = ((IlgpuBuffer)tensor.Buffer).Range;
        return tensor.DType == dtype && elements * dtype.Size() <= range.Bytes
            ? range.Slice(0, elements * dtype.Size())
            : throw new ArgumentException($"{tensor} given where {elements} elements of {dtype} are needed");
    }

    private void Embed(Tensor ids, int firstId, IlgpuEmbeddingTable table, Tensor output, bool add)
    {
        Require(output, output.Rows, table.Columns);
        var kernel = table.DType switch
        {
            DType.F16 => BackendKernels.EmbedF16,
            DType.BF16 => BackendKernels.EmbedBF16,
            _ => BackendKernels.EmbedFloats,
        };
        _launcher.Launch(
            kernel, Pieces(output), RangeOf(ids, DType.I32, output.Rows), table.Memory, output, table.Columns, table.Rows, firstId, add);
    }

    private void Rms(Tensor x, Tensor? addend, Tensor weight, float epsilon, Tensor output)
    {
        Require(output, x.Rows, x.Columns);
        Require(weight, 1, x.Columns);
        Require(addend ?? x, x.Rows, x.Columns);
        _launcher.Launch(BackendKernels.Rms, new GridSize(x.Rows), x, addend ?? x, weight, output, x.Columns, epsilon, addend is not null);
    }

    /// <param name="weight">Of the first <paramref name="nextHead"/> heads, before those of <paramref name="nextWeight"/>.</param>
    private void RmsHeads(Tensor x, int firstHead, int heads, Tensor weight, int nextHead, Tensor nextWeight, float epsilon)
    {
        var headDim = weight.Columns;
        Require(nextWeight, 1, headDim);
        if (firstHead < 0 || heads < 0 || (firstHead + (long)heads) * headDim > x.Columns)
        {
            throw new ArgumentException($"{x} has no {heads} heads of {headDim} from head {firstHead} on");
        }

        _launcher.Launch(
            BackendKernels.RmsHeads, new GridSize(heads, x.Rows), x, weight, nextWeight, x.Columns, firstHead, nextHead, headDim, epsilon);
    }

    private void Layer(Tensor x, Tensor? addend, Tensor weight, Tensor bias, float epsilon, Tensor output)
    {
        Require(output, x.Rows, x.Columns);
        Require(weight, 1, x.Columns);
        Require(bias, 1, x.Columns);
        Require(addend ?? x, x.Rows, x.Columns);
        _launcher.Launch(
            BackendKernels.Layer, new GridSize(x.Rows), x, addend ?? x, weight, bias, output, x.Columns, epsilon, addend is not null);
    }

    private void Apply(Kernel kernel, Tensor x, float parameter)
    {
        var count = checked(x.Rows * x.Columns);
        _launcher.Launch(kernel, Pieces(count), x, count, parameter);
    }
}
