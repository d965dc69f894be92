using System.Text.Json;

namespace Cluster.Worker.Engine;

/// <summary>What the text of a request must look like. Part of <see cref="SamplingParameters"/>; compiled by
/// <see cref="Constraints.ConstraintCompiler"/>.</summary>
internal abstract record Constraint
{
    private Constraint(string parameter, string text)
    {
        Parameter = parameter;
        Text = text;
    }

    /// <summary>vLLM's name of the kind; errors carry it.</summary>
    public string Parameter { get; }

    /// <summary>With <see cref="Parameter"/>, says all there is to say: equal texts have equal automata.</summary>
    public string Text { get; }

    /// <summary>The output is one of these texts.</summary>
    public sealed record Choice(IReadOnlyList<string> Choices) : Constraint("choice", JsonSerializer.Serialize(Choices));

    /// <summary>The output as a whole matches the pattern.</summary>
    public sealed record Regex(string Pattern) : Constraint("regex", Pattern);

    /// <summary>The output as a whole is a text of the context-free grammar, in GBNF or Lark's EBNF.</summary>
    public sealed record Grammar(string Definition) : Constraint("grammar", Definition);

    /// <summary>The output is a JSON object, whatever is in it.</summary>
    public sealed record JsonObject() : Constraint("json_object", "");

    /// <summary>The output is a JSON value that the schema (draft 2020-12) accepts.</summary>
    public sealed record JsonSchema(string Schema) : Constraint("json_schema", Schema);
}
