using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>The experts of a token and their weights. See <see cref="Backend.RouteToExperts"/>.</summary>
internal unsafe struct RoutedRows : IRowBody
{
    /// <summary><c>[rows, Count]</c>.</summary>
    public float* Logits;

    /// <summary><c>[Count]</c>, or null.</summary>
    public float* Correction;

    /// <summary><c>[rows, Chosen]</c>, like <see cref="Weights"/>.</summary>
    public int* Experts;
    public float* Weights;
    public int Count;
    public int Chosen;
    public ExpertRouting Routing;

    public readonly void Execute(int row)
    {
        var logits = Logits + (long)row * Count;
        var experts = Experts + (long)row * Chosen;
        var weights = Weights + (long)row * Chosen;
        var softmax = Routing.Scoring == ExpertScoring.Softmax ? RowSoftmax.Of(logits, Count) : default;
        var merits = stackalloc float[Count];
        var comparesLogits = Routing.ComparesLogits(Correction != null);
        for (var expert = 0; expert < Count; expert++)
        {
            merits[expert] = comparesLogits
                ? logits[expert]
                : Score(logits[expert], softmax) + (Correction == null ? 0 : Correction[expert]);
        }

        if (Routing.Groups > 1)
        {
            LeaveGroupsOut(merits);
        }

        Choose(merits, experts);
        Weigh(logits, softmax, experts, weights);
    }

    private readonly float Score(float logit, RowSoftmax softmax) =>
        Routing.Scoring == ExpertScoring.Sigmoid ? 1 / (1 + VectorMath<float, SimdScalar>.Exp(-logit)) : softmax.Share(logit);

    private readonly void Weigh(float* logits, RowSoftmax softmax, int* experts, float* weights)
    {
        var sum = 0f;
        for (var i = 0; i < Chosen; i++)
        {
            var logit = logits[experts[i]];
            weights[i] = Routing.Scoring switch
            {
                ExpertScoring.SoftmaxOfChosen => VectorMath<float, SimdScalar>.Exp(logit - logits[experts[0]]),
                ExpertScoring.SparseMixer => 1 / NearlyAsGood(logits, experts, i),
                _ => Score(logit, softmax),
            };
            sum += weights[i];
        }

        var divisor = Routing.DividesBySum
            ? MathF.Max(sum + ExpertRouting.SumEpsilon, Routing.MinSum)
            : 1;
        for (var i = 0; i < Chosen; i++)
        {
            weights[i] = weights[i] / divisor * Routing.Scale;
        }
    }

    /// <summary>Of a choice of the sparse mixer: e to the distance from the chosen logit, summed over those that count.</summary>
    private readonly float NearlyAsGood(float* logits, int* experts, int place)
    {
        var chosen = logits[experts[place]];
        var before = new ReadOnlySpan<int>(experts, place);
        var sum = 0f;
        for (var expert = 0; expert < Count; expert++)
        {
            var logit = logits[expert];
            if (chosen - logit <= 2 * Routing.Jitter * MathF.Max(MathF.Abs(logit), chosen) && !before.Contains(expert))
            {
                sum += VectorMath<float, SimdScalar>.Exp(logit - chosen);
            }
        }

        return sum;
    }

    /// <summary>Experts outside the best groups get a merit that loses against all others.</summary>
    private readonly void LeaveGroupsOut(float* merits)
    {
        var size = Count / Routing.Groups;
        var scores = stackalloc float[Routing.Groups];
        for (var group = 0; group < Routing.Groups; group++)
        {
            float first = float.NegativeInfinity, second = float.NegativeInfinity;
            for (var i = group * size; i < (group + 1) * size; i++)
            {
                second = MathF.Max(second, MathF.Min(first, merits[i]));
                first = MathF.Max(first, merits[i]);
            }

            scores[group] = Routing.GroupScore == GroupScore.SumOfTwo && size > 1 ? first + second : first;
        }

        for (var group = 0; group < Routing.Groups; group++)
        {
            var better = 0;
            for (var other = 0; other < Routing.Groups; other++)
            {
                better += scores[other] > scores[group] || (scores[other] == scores[group] && other < group) ? 1 : 0;
            }

            if (better >= Routing.GroupsChosen)
            {
                new Span<float>(merits + group * size, size).Fill(float.NegativeInfinity);
            }
        }
    }

    /// <summary>Insertion into a sorted list of the best so far: few are chosen, so most lose against the last.</summary>
    private readonly void Choose(float* merits, int* experts)
    {
        var found = 0;
        for (var expert = 0; expert < Count; expert++)
        {
            var place = found;
            while (place > 0 && merits[expert] > merits[experts[place - 1]])
            {
                place--;
            }

            if (place == Chosen)
            {
                continue;
            }

            found = Math.Min(found + 1, Chosen);
            for (var i = found - 1; i > place; i--)
            {
                experts[i] = experts[i - 1];
            }

            experts[place] = expert;
        }
    }
}
