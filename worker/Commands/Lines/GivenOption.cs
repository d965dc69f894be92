using System.CommandLine;

namespace Cluster.Worker.Commands.Lines;

/// <summary>One item of a command line: an option with its values, or a word that is none. Made by <see cref="ArgumentReader"/>.</summary>
/// <param name="Spelling">As it was written, without what follows a <c>=</c>.</param>
/// <param name="Values">In order; null where a <see cref="Word"/> stands alone.</param>
internal sealed record GivenOption(string Spelling, IReadOnlyList<string> Values)
{
    /// <summary>The option of the command; null for everything else.</summary>
    public Option? Option { get; init; }

    /// <summary>The option was written as <c>--no-…</c>.</summary>
    public bool IsNegated { get; init; }

    /// <summary>An option of another server; null for everything else.</summary>
    public ForeignFlag? Foreign { get; init; }

    /// <summary>The value stood behind a <c>=</c>.</summary>
    public bool IsInline { get; init; }

    /// <summary>Passed on as it is: a positional argument, <c>--</c> and what follows it, or what nobody knows.</summary>
    public bool IsWord { get; init; }

    /// <summary>What to tell about it instead of parsing it.</summary>
    public string? Error { get; init; }

    public static GivenOption Word(string text) => new(text, []) { IsWord = true };
}
