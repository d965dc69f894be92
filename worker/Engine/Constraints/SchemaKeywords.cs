namespace Cluster.Worker.Engine.Constraints;

/// <summary>The keywords of JSON schema this server knows, by what they do. All others are annotations, and say nothing about which values
/// are valid.</summary>
internal static class SchemaKeywords
{
    /// <summary>Keywords that would have to be kept and cannot be: each is refused where it is met.</summary>
    public static readonly HashSet<string> Unsupported =
    [
        "not", "if", "then", "else", "contains", "minContains", "maxContains", "dependentRequired", "dependentSchemas", "dependencies",
        "$dynamicRef", "$recursiveRef",
    ];

    /// <summary>Keywords that speak of values of one type only; where a schema names no type, they name it.</summary>
    public static readonly Dictionary<string, string> TypeOf = new()
    {
        ["properties"] = "object",
        ["required"] = "object",
        ["additionalProperties"] = "object",
        ["unevaluatedProperties"] = "object",
        ["patternProperties"] = "object",
        ["propertyNames"] = "object",
        ["minProperties"] = "object",
        ["maxProperties"] = "object",
        ["items"] = "array",
        ["additionalItems"] = "array",
        ["unevaluatedItems"] = "array",
        ["prefixItems"] = "array",
        ["minItems"] = "array",
        ["maxItems"] = "array",
        ["uniqueItems"] = "array",
        ["minLength"] = "string",
        ["maxLength"] = "string",
        ["pattern"] = "string",
        ["format"] = "string",
        ["minimum"] = "number",
        ["maximum"] = "number",
        ["exclusiveMinimum"] = "number",
        ["exclusiveMaximum"] = "number",
        ["multipleOf"] = "number",
    };

    public static readonly string[] Types = ["null", "boolean", "integer", "number", "string", "array", "object"];

    /// <summary>Keywords about values of any type.</summary>
    private static readonly HashSet<string> General = ["type", "enum", "const", "nullable", "$ref", "allOf", "anyOf", "oneOf"];

    /// <summary>Whether a keyword says something about which values are valid.</summary>
    public static bool Asserts(string keyword) =>
        General.Contains(keyword) || TypeOf.ContainsKey(keyword) || Unsupported.Contains(keyword);
}
