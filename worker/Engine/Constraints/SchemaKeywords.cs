namespace Cluster.Worker.Engine.Constraints;

/// <summary>The keywords of JSON schema this server knows, by what they do.</summary>
internal static class SchemaKeywords
{
    /// <summary>Say nothing about which values are valid.</summary>
    public static readonly HashSet<string> Annotations =
        ["title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly", "$defs",
            "definitions"];

    public static readonly HashSet<string> Assertions =
    [
        "type", "enum", "const", "nullable", "$ref", "allOf", "anyOf", "oneOf", "properties", "required", "additionalProperties",
        "items", "prefixItems", "minItems", "maxItems", "minLength", "maxLength", "pattern", "format",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    ];

    /// <summary>Keywords that speak of values of one type only; where a schema names no type, they name it.</summary>
    public static readonly Dictionary<string, string> TypeOf = new()
    {
        ["properties"] = "object",
        ["required"] = "object",
        ["additionalProperties"] = "object",
        ["items"] = "array",
        ["prefixItems"] = "array",
        ["minItems"] = "array",
        ["maxItems"] = "array",
        ["minLength"] = "string",
        ["maxLength"] = "string",
        ["pattern"] = "string",
        ["format"] = "string",
        ["minimum"] = "number",
        ["maximum"] = "number",
        ["exclusiveMinimum"] = "number",
        ["exclusiveMaximum"] = "number",
    };

    public static readonly string[] Types = ["null", "boolean", "integer", "number", "string", "array", "object"];
}
