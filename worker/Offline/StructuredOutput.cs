using Cluster.Worker.Engine;

namespace Cluster.Worker.Offline;

/// <summary>What the text of an output must look like. Part of <see cref="SamplingParams"/>.</summary>
public sealed class StructuredOutput
{
    private StructuredOutput(Constraint constraint) => Constraint = constraint;

    internal Constraint Constraint { get; }

    /// <summary>One of these texts.</summary>
    public static StructuredOutput OneOf(params IReadOnlyList<string> choices) => new(new Constraint.Choice(choices));

    /// <summary>A text that matches the pattern as a whole.</summary>
    public static StructuredOutput Matching(string pattern) => new(new Constraint.Regex(pattern));

    /// <summary>A JSON object, whatever is in it.</summary>
    public static StructuredOutput AnyJsonObject() => new(new Constraint.JsonObject());

    /// <summary>A JSON value that the schema (draft 2020-12) accepts.</summary>
    public static StructuredOutput Json(string schema) => new(new Constraint.JsonSchema(schema));
}
