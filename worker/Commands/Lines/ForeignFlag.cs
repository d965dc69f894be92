namespace Cluster.Worker.Commands.Lines;

/// <summary>What stands behind an option of another server.</summary>
internal enum ForeignValue
{
    None,

    /// <summary>Nothing, or true or false.</summary>
    Switch,

    One,

    /// <summary>Any number of words.</summary>
    List,
}

/// <summary>An option of vLLM, of its benchmarks or of TGI's launcher that this worker does not have by that name, with what becomes of it.
/// A row of <see cref="ForeignFlags"/>.</summary>
/// <param name="Names">Its spellings.</param>
/// <param name="Read">What it comes to for given values.</param>
internal sealed record ForeignFlag(IReadOnlyList<string> Names, ForeignValue Takes, Func<ForeignUse, ForeignAnswer> Read)
{
    /// <summary>Whether what it means depends on the other options of the line.</summary>
    public bool IsLate { get; init; }

    /// <summary>Another name for an option.</summary>
    public static ForeignFlag Means(string option, params string[] names) =>
        new(names, ForeignValue.One, use => ForeignAnswer.Of((option, use.Value)));

    /// <summary>Accepted with a note.</summary>
    public static ForeignFlag Inert(ForeignValue takes, string why, params string[] names) =>
        new(names, takes, _ => new ForeignAnswer { Note = why });

    /// <summary>Accepted in silence where the value is what this worker does anyway, refused otherwise.</summary>
    /// <param name="accepted">Those values, in lower case and parted by bars.</param>
    public static ForeignFlag Only(string accepted, string why, params string[] names) =>
        new(names, ForeignValue.One, use => accepted.Split('|').Contains(use.Value.ToLowerInvariant())
            ? new ForeignAnswer()
            : new ForeignAnswer { Error = $"{why}; accepted: {accepted.Replace("|", ", ", StringComparison.Ordinal)}" });

    /// <summary>Refused with what to use instead; a switch only where it is not false.</summary>
    public static ForeignFlag Refused(ForeignValue takes, string instead, params string[] names) =>
        new(names, takes, use => takes is ForeignValue.Switch && use.IsOff ? new ForeignAnswer() : new ForeignAnswer { Error = instead });
}

/// <summary>One use of a <see cref="ForeignFlag"/>.</summary>
/// <param name="Spelling">As it was written.</param>
/// <param name="Variables">The environment.</param>
/// <param name="IsGiven">Whether an option of ours is given.</param>
internal sealed record ForeignUse(
    string Spelling, IReadOnlyList<string> Values, IReadOnlyDictionary<string, string> Variables, Func<string, bool> IsGiven)
{
    /// <summary>The only value; empty where there is none.</summary>
    public string Value => Values.Count == 1 ? Values[0] : "";

    public bool IsOff => Values is [var text] && bool.TryParse(text, out var on) && !on;
}

/// <summary>What became of it.</summary>
internal sealed record ForeignAnswer
{
    /// <summary>Our options, by their full names, with values.</summary>
    public IReadOnlyList<(string Name, string Value)> Options { get; init; } = [];

    /// <summary>Why it has no effect.</summary>
    public string? Note { get; init; }

    /// <summary>Why it is refused, and what to use instead.</summary>
    public string? Error { get; init; }

    public static ForeignAnswer Of(params (string Name, string Value)[] options) => new() { Options = options };
}
