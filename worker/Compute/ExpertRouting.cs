namespace Cluster.Worker.Compute;

/// <summary>The rule of <see cref="Backend.RouteToExperts"/>.</summary>
/// <remarks>
/// <code>
/// logits → scores → + correction → the best groups → of these the best experts
///             └─────────────────────────────────────→ their weights / sum · scale
/// </code>
/// Without a correction experts are compared by their logits, which their scores follow: scores that round to the same number do not become
/// equals.
/// </remarks>
internal readonly record struct ExpertRouting(ExpertScoring Scoring)
{
    /// <summary>Most groups, so that a word can say which were chosen.</summary>
    public const int MaxGroups = 32;

    /// <summary>Added to a sum before it divides, as all implementations of DeepSeek's routing do.</summary>
    public const float SumEpsilon = 1e-20f;

    /// <summary>Weights are divided by their sum.</summary>
    public bool Normalize { get; init; }

    /// <summary>The same, also where the scoring says so.</summary>
    public bool DividesBySum => Normalize || Scoring == ExpertScoring.SoftmaxOfChosen;

    /// <summary>What the sum that divides is at least.</summary>
    public float MinSum { get; init; }

    /// <summary>Multiplies weights at last.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Neighbouring experts form so many groups, all as large.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Groups that a token may have experts of.</summary>
    public int GroupsChosen { get; init; } = 1;

    public GroupScore GroupScore { get; init; }

    /// <summary>Of <see cref="ExpertScoring.SparseMixer"/>: an expert is left out of the softmax whose logit lies below the chosen one's by
    /// more than twice this share of the larger of itself (without its sign) and the chosen one.</summary>
    public float Jitter { get; init; }

    /// <summary>Experts are compared by their logits: groups by two experts, and corrections, need scores.</summary>
    /// <param name="hasCorrection">Something is added for the choice.</param>
    public bool ComparesLogits(bool hasCorrection) => !hasCorrection && (Groups == 1 || GroupScore == GroupScore.Largest);

    /// <summary>Refuses what no backend can route.</summary>
    /// <exception cref="ArgumentException">Numbers of experts and groups do not fit together, or nothing says what a correction of such
    /// scores would mean.</exception>
    public void Check(Tensor logits, Tensor? correction, Tensor experts)
    {
        if (experts.Columns > logits.Columns)
        {
            throw new ArgumentException($"{experts} asks for more experts of a token than {logits} has");
        }

        if (Groups is < 1 or > MaxGroups || GroupsChosen < 1 || GroupsChosen > Groups || logits.Columns % Groups != 0
            || experts.Columns > logits.Columns / Groups * GroupsChosen)
        {
            throw new ArgumentException(
                $"{experts.Columns} of {logits.Columns} experts cannot be chosen from {GroupsChosen} of {Groups} groups; there are at most "
                + $"{MaxGroups} groups, all as large");
        }

        if (!ComparesLogits(correction is not null) && Scoring is ExpertScoring.SoftmaxOfChosen or ExpertScoring.SparseMixer)
        {
            throw new ArgumentException($"{Scoring} scores exist only of chosen experts; neither corrections nor sums can choose by them");
        }
    }
}
