using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Api;

/// <summary>Defaulting as an API server does it: absent fields get their schema's default, then the defaults inside it. Independent of the
/// operator's code.</summary>
internal static class SchemaDefaults
{
    public static void Apply(JsonObject schema, JsonNode value)
    {
        if (value is JsonObject mapping && schema["properties"] is JsonObject fields)
        {
            foreach ((var name, var field) in fields)
            {
                if (!mapping.ContainsKey(name) && field!["default"] is { } fallback)
                {
                    mapping[name] = fallback.DeepClone();
                }

                if (mapping[name] is { } child)
                {
                    Apply(field!.AsObject(), child);
                }
            }
        }
        else if (value is JsonArray list && schema["items"] is JsonObject items)
        {
            foreach (var item in list)
            {
                Apply(items, item!);
            }
        }
    }
}
