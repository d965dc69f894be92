using System.Text.Json;
using Json.Schema;

namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>JsonSchema.Net, somebody else's reading of the specification (draft 2020-12).</summary>
internal static class SecondOpinion
{
    private static readonly EvaluationOptions Options = new() { RequireFormatValidation = true };

    /// <summary>Whether a text is JSON that a schema allows.</summary>
    public static bool IsValid(string schema, string text)
    {
        try
        {
            using var value = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 1000 });
            return Read(schema).Evaluate(value.RootElement, Options).IsValid;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Whether an object has a name twice, which a schema cannot speak of: it is read as if one of them were not there.</summary>
    public static bool HasRepeatedNames(string text)
    {
        try
        {
            JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 1000, AllowDuplicateProperties = false }).Dispose();
            return false;
        }
        catch (JsonException)
        {
            return IsJson(text);
        }
    }

    private static bool IsJson(string text)
    {
        try
        {
            JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 1000 }).Dispose();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Each schema gets a registry of its own: they all have the same address, because they have none.</summary>
    private static JsonSchema Read(string schema) =>
        JsonSchema.FromText(schema, new BuildOptions { SchemaRegistry = new SchemaRegistry() });
}
