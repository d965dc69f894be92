namespace Cluster.Common;

/// <summary>One row of <see cref="WorkerFlags"/>: an option of the worker that the operator sets, with everything that both say about
/// it.</summary>
/// <param name="Name">With its dashes, such as <c>--max-num-seqs</c>.</param>
/// <param name="Value">What stands after it.</param>
/// <param name="SetBy">Field of the ModelDeployment that the operator makes it from, such as <c>spec.engine.maxNumSeqs</c>, or who else
/// sets it.</param>
/// <param name="Help">Sentences for <c>--help</c> and <c>kubectl explain</c>; without the default, which both add.</param>
internal sealed record WorkerFlag(string Name, FlagValue Value, string SetBy, string Help)
{
    /// <summary>A second spelling, such as <c>-tp</c>.</summary>
    public string? Alias { get; init; }

    /// <summary>Options of other servers that set this one, in whole or in part; the worker's command line takes them, too.</summary>
    public IReadOnlyList<string> OtherNames { get; init; } = [];

    /// <summary>What stands for the value in help texts.</summary>
    public string ValueName { get; init; } = "N";

    /// <summary>The accepted words of a <see cref="FlagValue.Word"/>; the first is the default.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Inclusive; NaN where there is none.</summary>
    public double Minimum { get; init; } = double.NaN;

    /// <summary>Inclusive; NaN where there is none.</summary>
    public double Maximum { get; init; } = double.NaN;

    /// <summary>The worker's, when it is given no such flag; null where it depends on the model or the flag is required.</summary>
    public object? Default { get; init; }

    /// <summary>Whether a number lies in the range.</summary>
    public bool IsInRange(double number) => !(number < Minimum) && !(number > Maximum) && double.IsFinite(number);

    /// <summary>What would be right, to stand after "must be": the words, or the range.</summary>
    public string Expected => this switch
    {
        { Words.Count: > 1 } => $"{string.Join(", ", Words.SkipLast(1))} or {Words[^1]}",
        { Maximum: double.NaN } => FormattableString.Invariant($"at least {Minimum}"),
        _ => FormattableString.Invariant($"{Minimum} to {Maximum}"),
    };
}
