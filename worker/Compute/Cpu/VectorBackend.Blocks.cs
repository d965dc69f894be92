using Cluster.Worker.Compute.Cpu.Memory;
using Cluster.Worker.Compute.Cpu.Rows;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu;

/// <content>The operations that only some architectures need.</content>
internal sealed unsafe partial class VectorBackend<V, TSimd>
{
    public override void RmsNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon)
    {
        var headDim = weight.Columns;
        if (firstHead < 0 || heads < 0 || (firstHead + (long)heads) * headDim > x.Columns)
        {
            throw new ArgumentException($"{x} has no {heads} heads of {headDim} from head {firstHead} on");
        }

        RowRanges<HeadNormRows<V, TSimd>>.Run(Threads, x.Rows * heads, headDim, new()
        {
            X = CpuBuffer.Floats(x, x.Rows, x.Columns),
            Weight = CpuBuffer.Floats(weight, 1, headDim),
            Stride = x.Columns,
            FirstHead = firstHead,
            Heads = heads,
            HeadDim = headDim,
            Epsilon = epsilon,
        });
    }

    public override void LayerNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon)
    {
        if (firstHead < 0 || heads < 1 || weight.Columns % heads != 0 || (firstHead + (long)heads) * (weight.Columns / heads) > x.Columns)
        {
            throw new ArgumentException($"{x} has no {heads} heads from head {firstHead} on that {weight} are the weights of");
        }

        var headDim = weight.Columns / heads;
        RowRanges<HeadLayerNormRows<V, TSimd>>.Run(Threads, x.Rows * heads, headDim, new()
        {
            X = CpuBuffer.Floats(x, x.Rows, x.Columns),
            Weight = CpuBuffer.Floats(weight, 1, weight.Columns),
            Stride = x.Columns,
            FirstHead = firstHead,
            Heads = heads,
            HeadDim = headDim,
            Epsilon = epsilon,
        });
    }

    public override void SumSquares(Tensor x, int first, int count, Tensor sums, int column)
    {
        RequireColumns(x, first, count);
        RequireColumns(sums, column, 1);
        RowRanges<SquareSumRows<V, TSimd>>.Run(Threads, x.Rows, count, new()
        {
            X = CpuBuffer.Floats(x, x.Rows, x.Columns) + first,
            Sums = CpuBuffer.Floats(sums, x.Rows, sums.Columns) + column,
            Stride = x.Columns,
            SumStride = sums.Columns,
            Count = count,
        });
    }

    public override void RmsScale(Tensor x, int first, Tensor weight, Tensor sums, int column, int features, float epsilon)
    {
        RequireColumns(x, first, weight.Columns);
        RequireColumns(sums, column, 1);
        RowRanges<RmsScaledRows<V, TSimd>>.Run(Threads, x.Rows, weight.Columns, new()
        {
            X = CpuBuffer.Floats(x, x.Rows, x.Columns) + first,
            Weight = CpuBuffer.Floats(weight, 1, weight.Columns),
            Sums = CpuBuffer.Floats(sums, x.Rows, sums.Columns) + column,
            Stride = x.Columns,
            SumStride = sums.Columns,
            Count = weight.Columns,
            Features = features,
            Epsilon = epsilon,
        });
    }

    public override void Xielu(Tensor x, XieluScalars scalars) => ForEach(x, new Xielu(scalars));

    public override void LayerNorm(Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output) =>
        NormalizeLayer(x, addend: null, weight, bias, epsilon, output);

    public override void AddLayerNorm(Tensor residual, Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output) =>
        NormalizeLayer(residual, CpuBuffer.Floats(x, residual.Rows, residual.Columns), weight, bias, epsilon, output);

    public override void Scale(Tensor x, float factor) => ForEach(x, new Scaled(factor));

    public override void ScaleRows(Tensor x, Tensor factors)
    {
        if (factors.Rows * factors.Columns != x.Rows)
        {
            throw new ArgumentException($"{factors} given where {x.Rows} factors are needed");
        }

        RowRanges<ScaledRows<V, TSimd>>.Run(Threads, x.Rows, x.Columns, new()
        {
            X = CpuBuffer.Floats(x, x.Rows, x.Columns),
            Factors = CpuBuffer.Floats(factors, factors.Rows, factors.Columns),
            Columns = x.Columns,
        });
    }

    public override void SoftCap(Tensor x, float cap) => ForEach(x, new SoftCapped(cap));

    public override void Activate(Tensor x, Activation activation)
    {
        switch (activation)
        {
            case Activation.Silu:
                ForEach(x, default(Activated<Silu>));
                break;
            case Activation.Gelu:
                ForEach(x, default(Activated<Gelu>));
                break;
            case Activation.GeluTanh:
                ForEach(x, default(Activated<GeluTanh>));
                break;
            case Activation.Relu:
                ForEach(x, default(Activated<Relu>));
                break;
            case Activation.Sigmoid:
                ForEach(x, default(Activated<Sigmoid>));
                break;
            case Activation.Relu2:
                ForEach(x, default(Activated<Relu2>));
                break;
            default:
                throw new NotSupportedException($"activation {activation} is not supported");
        }
    }

    public override void AddEmbedding(Tensor ids, EmbeddingTable table, Tensor output)
    {
        var source = (CpuEmbeddingTable)table;
        var columns = source.Columns;
        var added = _embeddings.Floats((long)output.Rows * columns);
        RowRanges<AddEmbeddingRows<V, TSimd>>.Run(Threads, output.Rows, columns, new()
        {
            Lookup = new EmbedRows
            {
                Table = source.Address,
                DType = source.DType,
                TableRows = source.Rows,
                Ids = CpuBuffer.Integers(ids, output.Rows),
                Output = added,
                Columns = columns,
            },
            Output = CpuBuffer.Floats(output, output.Rows, columns),
        });
    }

    public override void SumExperts(Tensor x, Tensor? weights, Tensor output)
    {
        var chosen = x.Rows / Math.Max(1, output.Rows);
        RowRanges<SumExpertRows<V, TSimd>>.Run(Threads, output.Rows, chosen * output.Columns, new()
        {
            X = CpuBuffer.Floats(x, output.Rows * chosen, output.Columns),
            Weights = weights is { } factors ? CpuBuffer.Floats(factors, output.Rows, chosen) : null,
            Output = CpuBuffer.Floats(output, output.Rows, output.Columns),
            Chosen = chosen,
            Columns = output.Columns,
        });
    }

    public override void ClampedActivation(Tensor gateUp, float limit, Tensor output) =>
        RowRanges<ClampedActivationRows<V, TSimd>>.Run(Threads, output.Rows, 2 * output.Columns, new()
        {
            GateUp = CpuBuffer.Floats(gateUp, output.Rows, 2 * output.Columns),
            Output = CpuBuffer.Floats(output, output.Rows, output.Columns),
            Columns = output.Columns,
            Limit = limit,
        });

    private void NormalizeLayer(Tensor x, float* addend, Tensor weight, Tensor bias, float epsilon, Tensor output) =>
        RowRanges<LayerNormRows<V, TSimd>>.Run(Threads, x.Rows, x.Columns, new()
        {
            Input = CpuBuffer.Floats(x, x.Rows, x.Columns),
            Addend = addend,
            Weight = CpuBuffer.Floats(weight, 1, x.Columns),
            Bias = CpuBuffer.Floats(bias, 1, x.Columns),
            Output = CpuBuffer.Floats(output, x.Rows, x.Columns),
            Columns = x.Columns,
            Epsilon = epsilon,
        });

    private static void RequireColumns(Tensor x, int first, int count)
    {
        if (first < 0 || count < 1 || first + (long)count > x.Columns)
        {
            throw new ArgumentException($"{x} has no {count} columns from {first} on");
        }
    }

    private void ForEach<TFunction>(Tensor x, TFunction function)
        where TFunction : unmanaged, IElementFunction
    {
        var count = (long)x.Rows * x.Columns;
        var job = new ElementwiseJob<V, TSimd, TFunction>
        {
            Values = CpuBuffer.Floats(x, x.Rows, x.Columns),
            Count = count,
            Function = function
        };
        Threads.Run(job.Tasks, count, job);
    }
}
