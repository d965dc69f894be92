using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Models.Layers;

/// <content>Mixtures of experts.</content>
internal sealed partial class RecordingBackend
{
    public override ExpertWeights LoadExperts(string name, IReadOnlyList<LinearWeight> experts)
    {
        Assert.All(
            experts, expert => Assert.Equal((experts[0].InFeatures, experts[0].OutFeatures), (expert.InFeatures, expert.OutFeatures)));
        return base.LoadExperts(name, experts);
    }

    public override void RouteToExperts(Tensor logits, in ExpertRouting routing, Tensor? correction, Tensor experts, Tensor weights)
    {
        if (Recording)
        {
            routing.Check(logits, correction, experts);
            Read(Floats(logits, logits.Rows, logits.Columns));
            if (correction is { } added)
            {
                Read(Floats(added, 1, logits.Columns));
            }

            Write(Integers(experts, logits.Rows, experts.Columns));
            Write(Floats(weights, logits.Rows, experts.Columns));
            _operations.Add($"RouteToExperts({logits}, {routing.Scoring}, {correction?.Buffer.Name ?? "none"}, {experts}, {weights})");
        }
    }

    public override void ExpertLinear(Tensor x, Tensor experts, ExpertWeights weights, Tensor output)
    {
        if (Recording)
        {
            var routed = experts.Rows * experts.Columns;
            Assert.True(x.Rows == experts.Rows || x.Rows == routed, $"{x} are neither tokens nor routed tokens of {experts}");
            Read(Floats(x, x.Rows, weights.InFeatures));
            Read(Integers(experts, experts.Rows, experts.Columns));
            Write(Floats(output, routed, weights.OutFeatures));
            Assert.NotSame(x.Buffer, output.Buffer);
            _operations.Add(
                $"ExpertLinear({x}, {experts}, {weights.Name}[{weights.Experts.Count},{weights.OutFeatures},{weights.InFeatures}], "
                + $"{output})");
        }
    }

    public override void SumExperts(Tensor x, Tensor? weights, Tensor output)
    {
        if (Recording)
        {
            var chosen = x.Rows / output.Rows;
            Read(Floats(x, output.Rows * chosen, output.Columns));
            if (weights is { } factors)
            {
                Read(Floats(factors, output.Rows, chosen));
            }

            Write(Floats(output, output.Rows, output.Columns));
            _operations.Add($"SumExperts({x}, {weights?.ToString() ?? "none"}, {output})");
        }
    }

    public override void ScaleRows(Tensor x, Tensor factors)
    {
        if (Recording)
        {
            Read(Floats(x, x.Rows, x.Columns));
            Assert.Equal(x.Rows, factors.Rows * factors.Columns);
            Read(Floats(factors, factors.Rows, factors.Columns));
            _operations.Add($"ScaleRows({x}, {factors})");
        }
    }

    public override void ClampedActivation(Tensor gateUp, float limit, Tensor output)
    {
        if (Recording)
        {
            Read(Floats(gateUp, output.Rows, 2 * output.Columns));
            Write(Floats(output, output.Rows, output.Columns));
            _operations.Add($"ClampedActivation({gateUp}, {limit}, {output})");
        }
    }
}
