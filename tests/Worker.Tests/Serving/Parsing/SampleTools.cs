using System.Text.Json.Nodes;

namespace Cluster.Worker.Tests.Serving.Parsing;

/// <summary>The tools that samples call.</summary>
internal static class SampleTools
{
    public static JsonArray Definitions { get; } = (JsonArray)JsonNode.Parse(
        """
        [
          {"type": "function", "function": {"name": "now"}},
          {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {
            "city": {"type": "string"}, "days": {"type": "integer"}, "limit": {"type": "number"}, "metric": {"type": "boolean"},
            "hours": {"type": "array", "items": {"type": "integer"}}, "place": {"$ref": "#/$defs/place"},
            "unit": {"enum": ["C", "F"]}, "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "either": {"type": ["string", "integer"]}
          }, "$defs": {"place": {"type": "object", "properties": {"lat": {"type": "number"}}}}}}},
          {"type": "function", "function": {"name": "write_file", "parameters": {"type": "object", "properties": {
            "path": {"type": "string"}, "text": {"type": "string"}}}}}
        ]
        """)!;
}
