using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Strings of a schema: <c>pattern</c>, <c>format</c> and lengths, one or all of them. Called by
/// <see cref="JsonSchemaBuilder"/>.</summary>
internal sealed class StringSchema(JsonSchema document, AutomatonBuilder builder, JsonGrammar grammar)
{
    public void Lay(JsonObject schema, int from, int to)
    {
        var (min, max) = Lengths(schema);
        var branches = Pattern(schema);
        var format = Format(schema);
        var regex = new RegexBuilder(builder, grammar.Character);
        if ((branches is null ? 0 : 1) + (format is null ? 0 : 1) + (min > 0 || max is not null ? 1 : 0) > 1)
        {
            var all = Automaton(schema);
            if (all.IsEmpty)
            {
                throw document.Refuse("keywords 'pattern', 'format', 'minLength' and 'maxLength' leave no text", schema);
            }

            grammar.Quoted(from, to, (start, end) => all.Lay(builder, grammar.Character, start, end));
        }
        else if (branches is not null)
        {
            grammar.Quoted(from, to, (start, end) => regex.Search(branches, start, end));
        }
        else if (format is not null)
        {
            grammar.Quoted(from, to, (start, end) => regex.Whole(format, start, end));
        }
        else
        {
            grammar.String(min, max, from, to);
        }
    }

    /// <summary>All that a schema says of a string.</summary>
    public RuneAutomaton Automaton(JsonObject schema)
    {
        var refuse = document.Refusing(schema, null);
        var all = RuneAutomaton.Anything;
        if (Pattern(schema) is { } pattern)
        {
            all = PatternAutomaton.Search(pattern, refuse);
        }

        if (Format(schema) is { } format)
        {
            all = all.And(PatternAutomaton.Whole(format, refuse), refuse);
        }

        var (min, max) = Lengths(schema);
        return min == 0 && max is null ? all : all.And(RuneAutomaton.Length(min, max), refuse);
    }

    private (int Min, int? Max) Lengths(JsonObject schema)
    {
        var min = document.Count(schema, "minLength", ConstraintLimits.MaxStringLength) ?? 0;
        var max = document.Count(schema, "maxLength", ConstraintLimits.MaxStringLength);
        return max < min
            ? throw document.Refuse($"keyword 'minLength' is {min}, above 'maxLength', which is {max}", schema, "minLength")
            : (min, max);
    }

    private IReadOnlyList<AnchoredBranch>? Pattern(JsonObject schema) => document.Text(schema, "pattern") is { } pattern
        ? document.Pattern(pattern, schema, "pattern")
        : null;

    private IReadOnlyList<AnchoredBranch>? Format(JsonObject schema) =>
        document.Text(schema, "format") is { } format && StringFormats.PatternOf(format) is { } known
            ? RegexParser.Parse(known, "format")
            : null;
}
