namespace Cluster.Operator.Api;

/// <summary>What the CRD says about a field beyond its C# type. Read by <see cref="SchemaGenerator"/> only.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Class)]
internal class SchemaAttribute(string description) : Attribute
{
    /// <summary>One or more sentences for <c>kubectl explain</c>.</summary>
    public string Description { get; } = description;

    public bool Required { get; init; }

    /// <summary>Filled in by the API server; the C# initializer must say the same.</summary>
    public object? Default { get; init; }

    /// <summary>Inclusive; NaN is none.</summary>
    public double Minimum { get; init; } = double.NaN;

    /// <summary>Inclusive; NaN is none.</summary>
    public double Maximum { get; init; } = double.NaN;

    /// <summary>Characters or items; negative is none.</summary>
    public int MaxLength { get; init; } = -1;

    /// <summary>Regular expression; anchored by whoever writes it.</summary>
    public string? Pattern { get; init; }

    /// <summary>The accepted strings; C# enums need none.</summary>
    public string[]? Enum { get; init; }

    /// <summary>Cannot be changed once the object exists.</summary>
    public bool Immutable { get; init; }

    /// <summary>An integer or a string, the C# type being JsonNode.</summary>
    public bool IntOrString { get; init; }

    /// <summary>The type whose schema counts where the C# property keeps the raw JSON.</summary>
    public Type? Shape { get; init; }

    /// <summary>Field that identifies an item of this list: two appliers can then own different items.</summary>
    public string? ListMapKey { get; init; }
}

/// <summary>A CEL rule on a type, for what a plain schema cannot say. Checked by the API server (x-kubernetes-validations).</summary>
/// <remarks>Rules must bear fields that have a default to be absent: a parent's default <c>{}</c> is checked before the fields in it are
/// filled in.</remarks>
/// <param name="rule">CEL; <c>self</c> is the object.</param>
/// <param name="message">What the user reads when it is violated.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
internal sealed class SchemaRuleAttribute(string rule, string message) : Attribute
{
    public string Rule { get; } = rule;

    public string Message { get; } = message;
}
