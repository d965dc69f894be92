namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>An expression that is no CEL, or does not fit the types it is used with. Thrown by <see cref="CelLexer"/>,
/// <see cref="CelParser"/> and <see cref="CelChecker"/>.</summary>
/// <param name="position">Character of the source it is about.</param>
internal sealed class CelSyntaxException(string message, int position) : Exception(message)
{
    /// <summary>Worded as cel-go words its issues, with the line and a mark below the place.</summary>
    public string Describe(string source)
    {
        var end = Math.Min(position, source.Length);
        var start = source.LastIndexOf('\n', Math.Max(end - 1, 0), Math.Max(end, 0)) + 1;
        var line = source.AsSpan(0, start).Count('\n') + 1;
        var text = source[start..].Split('\n', 2)[0];
        return $"ERROR: <input>:{line}:{end - start + 1}: {Message}\n | {text}\n | {new string('.', end - start)}^";
    }
}

/// <summary>An evaluation that has no value: CEL's errors. <c>&amp;&amp;</c>, <c>||</c>, <c>all</c> and <c>exists</c> absorb them where the
/// other operands decide.</summary>
internal sealed class CelEvaluationException(string message) : Exception(message);

/// <summary>An evaluation that was cut off because it did too much work. Nothing absorbs it.</summary>
internal sealed class CelBudgetException() : Exception("operation cancelled: actual cost limit exceeded");
