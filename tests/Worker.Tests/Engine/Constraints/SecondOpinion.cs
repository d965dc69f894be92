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

    /// <summary>Each schema gets a registry of its own: they all have the same address, because they have none.</summary>
    private static JsonSchema Read(string schema) =>
        JsonSchema.FromText(schema, new BuildOptions { SchemaRegistry = new SchemaRegistry() });
}
