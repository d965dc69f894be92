using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Models.Layers;

/// <content>The operations that only some architectures need.</content>
internal sealed partial class ReferenceBackend
{
    public override void AddEmbedding(Tensor ids, EmbeddingTable table, Tensor output)
    {
        for (var t = 0; t < output.Rows; t++)
        {
            var row = ((Embedding32)table).Values.AsSpan(Ints(ids)[t] * table.Columns, table.Columns);
            for (var i = 0; i < table.Columns; i++)
            {
                Row(output, t)[i] += row[i];
            }
        }
    }

    public override void RmsNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon)
    {
        for (var t = 0; t < x.Rows; t++)
        {
            for (var head = firstHead; head < firstHead + heads; head++)
            {
                var values = Row(x, t).Slice(head * weight.Columns, weight.Columns);
                var scale = 1 / Math.Sqrt((Dot(values, values) / values.Length) + epsilon);
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] = (float)(values[i] * scale * Floats(weight)[i]);
                }
            }
        }
    }

    public override void LayerNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon)
    {
        var headDim = weight.Columns / heads;
        for (var t = 0; t < x.Rows; t++)
        {
            for (var head = 0; head < heads; head++)
            {
                var values = Row(x, t).Slice((firstHead + head) * headDim, headDim);
                var before = values.ToArray();
                var mean = before.Average(value => (double)value);
                var scale = 1 / Math.Sqrt(before.Average(value => (value - mean) * (value - mean)) + epsilon);
                for (var i = 0; i < headDim; i++)
                {
                    values[i] = (float)((before[i] - mean) * scale * Floats(weight)[(head * headDim) + i]);
                }
            }
        }
    }

    public override void SumSquares(Tensor x, int first, int count, Tensor sums, int column)
    {
        for (var t = 0; t < x.Rows; t++)
        {
            var values = Row(x, t).Slice(first, count);
            Row(sums, t)[column] = (float)Dot(values, values);
        }
    }

    public override void RmsScale(Tensor x, int first, Tensor weight, Tensor sums, int column, int features, float epsilon)
    {
        for (var t = 0; t < x.Rows; t++)
        {
            var scale = 1 / Math.Sqrt(((double)Row(sums, t)[column] / features) + epsilon);
            for (var i = 0; i < weight.Columns; i++)
            {
                Row(x, t)[first + i] = (float)(Row(x, t)[first + i] * scale * Floats(weight)[i]);
            }
        }
    }

    public override void Xielu(Tensor x, XieluScalars scalars) => ForEach(x, value => (scalars.Beta * value) + (value > 0
        ? scalars.AlphaPositive * value * value
        : scalars.AlphaNegative * (Math.Exp(Math.Min(value, scalars.Epsilon)) - 1 - value)));

    public override void LayerNorm(Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output)
    {
        for (var t = 0; t < x.Rows; t++)
        {
            var row = Row(x, t).ToArray();
            var mean = row.Average(value => (double)value);
            var scale = 1 / Math.Sqrt(row.Average(value => (value - mean) * (value - mean)) + epsilon);
            for (var i = 0; i < x.Columns; i++)
            {
                Row(output, t)[i] = (float)(((row[i] - mean) * scale * Floats(weight)[i]) + Floats(bias)[i]);
            }
        }
    }

    public override void AddLayerNorm(Tensor residual, Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output)
    {
        Add(residual, x);
        LayerNorm(residual, weight, bias, epsilon, output);
    }

    public override void Scale(Tensor x, float factor) => ForEach(x, value => value * factor);

    public override void SoftCap(Tensor x, float cap) => ForEach(x, value => cap * Math.Tanh(value / cap));

    public override void Activate(Tensor x, Activation activation) => ForEach(x, value => Apply(activation, value));

    public override void HeadLinear(Tensor x, ExpertWeights heads, Tensor output)
    {
        for (var t = 0; t < x.Rows; t++)
        {
            for (var head = 0; head < heads.Experts.Count; head++)
            {
                var (matrix, _) = ((Linear32)heads.Experts[head]).Parameters;
                var row = Row(x, t).Slice(head * heads.InFeatures, heads.InFeatures);
                for (var n = 0; n < heads.OutFeatures; n++)
                {
                    Row(output, t)[head * heads.OutFeatures + n] =
                        (float)Dot(row, matrix.AsSpan(n * heads.InFeatures, heads.InFeatures));
                }
            }
        }
    }

    private static void ForEach(Tensor x, Func<double, double> function)
    {
        foreach (ref var value in Floats(x))
        {
            value = (float)function(value);
        }
    }
}
