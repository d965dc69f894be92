using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Objects the tests create. Widget stands for any custom resource, with every schema feature in use.</summary>
internal static class Fixtures
{
    public static string WidgetsIn(string space) => $"/apis/example.test/v1/namespaces/{space}/widgets";

    public static string PodsIn(string space) => $"/api/v1/namespaces/{space}/pods";

    public static string ConfigMapsIn(string space) => $"/api/v1/namespaces/{space}/configmaps";

    public static JsonObject WidgetDefinition(string group = "example.test", string plural = "widgets", string kind = "Widget") =>
        (JsonObject)JsonNode.Parse($$$"""
        {
          "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
          "metadata": {"name": "{{{plural}}}.{{{group}}}"},
          "spec": {
            "group": "{{{group}}}", "scope": "Namespaced",
            "names": {"plural": "{{{plural}}}", "kind": "{{{kind}}}", "shortNames": ["{{{plural[..2]}}}"], "categories": ["all"]},
            "versions": [{
              "name": "v1", "served": true, "storage": true,
              "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
              "additionalPrinterColumns": [
                {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
                {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                {"name": "Source", "type": "string", "priority": 1, "jsonPath": ".spec.source"},
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
              "schema": {"openAPIV3Schema": {
                "type": "object", "description": "A widget for tests.", "required": ["spec"],
                "properties": {
                  "spec": {
                    "type": "object", "description": "What the widget should be.", "required": ["source"],
                    "properties": {
                      "source": {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[a-z]+://", "description": "Where it comes from."},
                      "replicas": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 9, "default": 1, "description": "How many."},
                      "mode": {"type": "string", "enum": ["Fast", "Slow"], "default": "Fast"},
                      "ratio": {"type": "number", "exclusiveMinimum": true, "minimum": 0},
                      "limit": {"x-kubernetes-int-or-string": true},
                      "optional": {"type": "string", "nullable": true},
                      "tags": {"type": "array", "maxItems": 3, "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                      "list": {"type": "array", "items": {"type": "string"}},
                      "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                      "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                      "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "size": {"type": "integer", "default": 5}, "color": {"type": "string"}} }}
                    }},
                  "status": {"type": "object", "properties": {
                    "replicas": {"type": "integer"}, "selector": {"type": "string"},
                    "conditions": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                      "items": {"type": "object", "properties": {"type": {"type": "string"}, "status": {"type": "string"}} }} }}
                } } }
            }]
          }
        }
        """)!;

    public static JsonObject Widget(string name, string spec = """{"source": "hf://a"}""") => (JsonObject)JsonNode.Parse($$$"""
        {"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": "{{{name}}}"}, "spec": {{{spec}}}}
        """)!;

    public static JsonObject ConfigMap(string name, string metadata = "{}", string data = """{"a": "1"}""")
    {
        var map = (JsonObject)JsonNode.Parse(
            $$$"""{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{{metadata}}}, "data": {{{data}}}}""")!;
        map["metadata"]!["name"] = name;
        return map;
    }

    public static JsonObject Pod(string name, string labels = "{}") => (JsonObject)JsonNode.Parse($$$"""
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "{{{name}}}", "labels": {{{labels}}}},
         "spec": {"containers": [{"name": "worker", "image": "local/worker:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "ports": [{"containerPort": 80}]}]}}
        """)!;

    public static JsonNode Json(string text) => JsonNode.Parse(text)!;
}
