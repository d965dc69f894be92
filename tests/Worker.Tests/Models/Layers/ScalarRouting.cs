using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>The scalar twin of <see cref="Backend.RouteToExperts"/>: one row, in doubles, by sorting.</summary>
internal static class ScalarRouting
{
    public static (int[] Experts, double[] Weights) Route(float[] logits, ExpertRouting routing, float[]? correction, int chosen)
    {
        var all = Enumerable.Range(0, logits.Length).ToArray();
        var scores = all.Select(expert => Score(logits, routing.Scoring, expert)).ToArray();
        var merits = all.Select(expert => routing.ComparesLogits(correction is not null)
            ? logits[expert]
            : scores[expert] + (correction?[expert] ?? 0)).ToArray();
        var size = logits.Length / routing.Groups;
        var open = Enumerable.Range(0, routing.Groups)
            .OrderByDescending(group => merits[(group * size)..((group + 1) * size)].OrderDescending()
                .Take(routing.GroupScore == GroupScore.SumOfTwo ? 2 : 1).Sum())
            .Take(routing.GroupsChosen).ToHashSet();
        var experts = all.Where(expert => open.Contains(expert / size)).OrderByDescending(expert => merits[expert]).Take(chosen).ToArray();
        var weights = routing.Scoring switch
        {
            ExpertScoring.SoftmaxOfChosen => [.. experts.Select(expert => Share(logits, experts, expert))],
            ExpertScoring.SparseMixer => [.. experts.Select((expert, place) => Share(
                logits,
                all.Except(experts[..place]).Where(other => logits[expert] - (double)logits[other]
                    <= 2.0 * routing.Jitter * Math.Max(Math.Abs(logits[other]), logits[expert])),
                expert))],
            _ => experts.Select(expert => scores[expert]).ToArray(),
        };
        var divisor = routing.Normalize ? Math.Max(weights.Sum() + 1e-20, routing.MinSum) : 1;
        return (experts, [.. weights.Select(weight => weight / divisor * routing.Scale)]);
    }

    private static double Score(float[] logits, ExpertScoring scoring, int expert) => scoring == ExpertScoring.Sigmoid
        ? 1 / (1 + Math.Exp(-logits[expert]))
        : Share(logits, Enumerable.Range(0, logits.Length), expert);

    private static double Share(float[] logits, IEnumerable<int> among, int expert) =>
        1 / among.Sum(other => Math.Exp((double)logits[other] - logits[expert]));
}
