using Cluster.Common;

namespace Cluster.Operator.Api;

/// <summary>The schema of a field that the worker has a flag for: description, words and range are the flag's, see
/// <see cref="WorkerFlags"/>.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class FromFlagAttribute : SchemaAttribute
{
    /// <param name="flag">Such as <c>--max-num-seqs</c>.</param>
    /// <exception cref="ArgumentException">The worker has no such flag.</exception>
    public FromFlagAttribute(string flag)
        : this(WorkerFlags.Of(flag))
    {
    }

    private FromFlagAttribute(WorkerFlag flag)
        : base(Describe(flag))
    {
        Flag = flag;
        Enum = flag.Words is [] ? null : [.. flag.Words];
        Minimum = flag.Minimum;
        Maximum = flag.Maximum;
    }

    public WorkerFlag Flag { get; }

    /// <summary>With the default that the worker has: the schema fills none in, so that a later worker may choose another.</summary>
    private static string Describe(WorkerFlag flag) => flag switch
    {
        { Words: [var first, ..] } => $"{flag.Help} Default: {first}.",
        { Default: bool on } => $"{flag.Help} Default: {(on ? "true" : "false")}.",
        { Default: { } value } => FormattableString.Invariant($"{flag.Help} Default: {value}."),
        _ => flag.Help,
    };
}
