using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Models.Layers;

/// <content>Mixtures of experts.</content>
internal sealed partial class ReferenceBackend
{
    public override void RouteToExperts(Tensor logits, in ExpertRouting routing, Tensor? correction, Tensor experts, Tensor weights)
    {
        for (var t = 0; t < logits.Rows; t++)
        {
            var added = correction is { } vector ? Floats(vector).ToArray() : null;
            var (chosen, shares) = ScalarRouting.Route(Row(logits, t).ToArray(), routing, added, experts.Columns);
            for (var i = 0; i < chosen.Length; i++)
            {
                Ints(experts)[(t * chosen.Length) + i] = chosen[i];
                Row(weights, t)[i] = (float)shares[i];
            }
        }
    }

    public override void ExpertLinear(Tensor x, Tensor experts, ExpertWeights weights, Tensor output)
    {
        for (var i = 0; i < output.Rows; i++)
        {
            var (matrix, bias) = ((Linear32)weights.Experts[Ints(experts)[i]]).Parameters;
            for (var n = 0; n < weights.OutFeatures; n++)
            {
                var row = Row(x, i / (output.Rows / x.Rows));
                Row(output, i)[n] = (float)(Dot(row, matrix.AsSpan(n * weights.InFeatures, weights.InFeatures)) + (bias?[n] ?? 0));
            }
        }
    }

    public override void SumExperts(Tensor x, Tensor? weights, Tensor output)
    {
        var chosen = x.Rows / Math.Max(1, output.Rows);
        for (var t = 0; t < output.Rows; t++)
        {
            for (var i = 0; i < output.Columns; i++)
            {
                var sum = 0.0;
                for (var j = 0; j < chosen; j++)
                {
                    sum += (double)(weights is { } factors ? Row(factors, t)[j] : 1) * Row(x, (t * chosen) + j)[i];
                }

                Row(output, t)[i] = (float)sum;
            }
        }
    }

    public override void ScaleRows(Tensor x, Tensor factors)
    {
        for (var i = 0; i < x.Rows; i++)
        {
            foreach (ref var value in Row(x, i))
            {
                value *= Floats(factors)[i];
            }
        }
    }

    public override void ClampedActivation(Tensor gateUp, float limit, Tensor output)
    {
        for (var t = 0; t < output.Rows; t++)
        {
            for (var i = 0; i < output.Columns; i++)
            {
                double gate = Math.Min(Row(gateUp, t)[i], limit), up = Math.Clamp(Row(gateUp, t)[i + output.Columns], -limit, limit);
                Row(output, t)[i] = (float)((up + 1) * gate / (1 + Math.Exp(-1.702 * gate)));
            }
        }
    }
}
