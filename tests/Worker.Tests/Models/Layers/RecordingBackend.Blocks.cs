using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Models.Layers;

/// <content>The operations that only some architectures need.</content>
internal sealed partial class RecordingBackend
{
    public override void AddEmbedding(Tensor ids, EmbeddingTable table, Tensor output)
    {
        if (Recording)
        {
            Read(Integers(ids, output.Rows, 1));
            Read(Floats(output, output.Rows, table.Columns));
            _operations.Add($"AddEmbedding({ids}, {table.Name}, {output})");
        }
    }

    public override void RmsNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            Read(Floats(weight, 1, weight.Columns));
            Assert.InRange(firstHead, 0, x.Columns / weight.Columns);
            Assert.InRange(heads, 1, (x.Columns / weight.Columns) - firstHead);
            _operations.Add($"RmsNormHeads({x}, {firstHead}, {heads}, {weight}, {epsilon})");
        }
    }

    public override void LayerNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            Read(Floats(weight, 1, weight.Columns));
            Assert.Equal(0, weight.Columns % heads);
            Assert.InRange(firstHead, 0, (x.Columns / (weight.Columns / heads)) - heads);
            _operations.Add($"LayerNormHeads({x}, {firstHead}, {heads}, {weight}, {epsilon})");
        }
    }

    public override void SumSquares(Tensor x, int first, int count, Tensor sums, int column)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            Assert.InRange(count, 1, x.Columns - first);
            Assert.InRange(column, 0, sums.Columns - 1);
            Write(Floats(sums, x.Rows, sums.Columns));
            _operations.Add($"SumSquares({x}, {first}, {count}, {sums}, {column})");
        }
    }

    public override void RmsScale(Tensor x, int first, Tensor weight, Tensor sums, int column, int features, float epsilon)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            Read(Floats(weight, 1, weight.Columns));
            Read(Floats(sums, x.Rows, sums.Columns));
            Assert.InRange(weight.Columns, 1, x.Columns - first);
            _operations.Add($"RmsScale({x}, {first}, {weight}, {sums}, {column}, {features}, {epsilon})");
        }
    }

    public override void Xielu(Tensor x, XieluScalars scalars) => InPlace("Xielu", x, scalars);

    public override void LayerNorm(Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            Read(Floats(weight, 1, x.Columns));
            Read(Floats(bias, 1, x.Columns));
            Write(Floats(output, x.Rows, x.Columns));
            _operations.Add($"LayerNorm({x}, {weight}, {bias}, {epsilon}, {output})");
        }
    }

    public override void AddLayerNorm(Tensor residual, Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(residual, x.Rows, x.Columns));
            Read(Floats(x, x.Rows, x.Columns));
            Read(Floats(weight, 1, x.Columns));
            Read(Floats(bias, 1, x.Columns));
            Write(Floats(output, x.Rows, x.Columns));
            Assert.NotSame(residual.Buffer, x.Buffer);
            Assert.NotSame(residual.Buffer, output.Buffer);
            _operations.Add($"AddLayerNorm({residual}, {x}, {weight}, {bias}, {epsilon}, {output})");
        }
    }

    public override void Scale(Tensor x, float factor) => InPlace("Scale", x, factor);

    public override void SoftCap(Tensor x, float cap) => InPlace("SoftCap", x, cap);

    public override void Activate(Tensor x, Activation activation) => InPlace("Activate", x, activation);

    public override void HeadLinear(Tensor x, ExpertWeights heads, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, heads.Experts.Count * heads.InFeatures));
            Write(Floats(output, x.Rows, heads.Experts.Count * heads.OutFeatures));
            Assert.NotSame(x.Buffer, output.Buffer);
            _operations.Add($"HeadLinear({x}, {heads.Name}[{heads.Experts.Count},{heads.OutFeatures},{heads.InFeatures}], {output})");
        }
    }

    private void InPlace<T>(string operation, Tensor x, T argument)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            _operations.Add($"{operation}({x}, {argument})");
        }
    }
}
