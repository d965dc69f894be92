using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Fuzz.Targets.Operator;

/// <summary>Schemas of CRDs and their rules, which compile or are refused, and then check objects.</summary>
internal static class SchemaTargets
{
    private const string Sample = """
        {"apiVersion": "x.io/v1", "kind": "Foo", "metadata": {"name": "n"}, "spec": {"replicas": 2, "name": "abc", "items": [{"a": "x1"}, {"a": "y"}],
         "map": {"a": "B", "c": "d"}}}
        """;

    private static readonly string[] CelPieces =
    [
        "self", "oldSelf", ".replicas", ".items", ".name", ".map", "['a']", "[0]", "[-1]", ".?name", ".orValue('x')", ".all(i, ",
        ".exists(i, ", ".map(i, ",
        ".filter(i, ", ".exists_one(i, ", "has(self.name)", "size(", "(", ")", ", ", " && ", " || ", "!", " == ", " != ", " < ",
        " >= ", " in ", " ? ", " : ", " + ", " - ",
        " * ", " / ", " % ", "1", "0", "-1", "9223372036854775807", "1.5", "1e308", "1u", "'a'", "\"b\\n\"", "r'\\d+'", "b'x'",
        "'''t'''", "true", "null", "[1, 2]",
        "{'a': 1}", "int(", "string(", "double(", "timestamp('2026-01-01T00:00:00Z')", "duration('1h')", ".matches('(a+)+$')",
        ".replace('a', 'b')",
        ".split('')", ".join(',')", ".substring(1, 2)", ".format([1])", ".lowerAscii()", ".indexOf('a')", "optional.of(1)", "type(1)",
        "dyn(1)", "i", "i.a",
        "quantity('1Gi')", "ip('1.2.3.4')", "cidr('10.0.0.0/8')", "url('http://x')", ".sum()", ".min()", ".isSorted()", "//c\n", "`a b`",
    ];

    private static readonly string[] SchemaWords =
    [
        "\"object\"", "\"array\"", "\"string\"", "\"integer\"", "{\"type\": \"string\"}", "{\"x-kubernetes-int-or-string\": true}",
        "\"x-kubernetes-list-type\"",
        "\"map\"", "\"set\"", "[\"a\"]", "{\"default\": 1}", "\"pattern\"", "\"(a+)+$\"",
        "{\"x-kubernetes-preserve-unknown-fields\": true}", "{\"oneOf\": [{}]}",
        "{\"additionalProperties\": true}", "[{\"rule\": \"self.size() > 0\"}]", "\"x-kubernetes-validations\"",
        "{\"nullable\": true}", "\"date-time\"",
    ];

    public static IFuzzTarget Rules(string name) => new TextTarget(
        name, SeedFiles.Lines("cel.txt"), new PieceMutator(CelPieces), exception => exception is RefusedException, rule =>
        {
            var schema = Read(RuleSchema);
            JsonObject document = new() { ["rule"] = rule, ["message"] = "m" };
            schema["properties"]!["spec"]!["x-kubernetes-validations"] = new JsonArray(document);
            Check(schema);
        });

    public static IFuzzTarget Schema(string name) => new TextTarget(
        name, [Encoding.UTF8.GetBytes(RuleSchema), Encoding.UTF8.GetBytes(OwnSchema())],
        new AnyMutator(new TextMutator(SchemaWords), new ValueMutator()), exception => exception is RefusedException or ApiException,
        text => Check(Read(text)));

    private const string RuleSchema = """
        {"type": "object", "properties": {"spec": {"type": "object", "required": ["replicas"], "properties": {
         "replicas": {"type": "integer", "minimum": 0, "maximum": 100, "default": 1}, "name": {"type": "string", "maxLength": 10, "pattern": "^[a-z]+$"},
         "items": {"type": "array", "maxItems": 5, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"],
          "items": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "maxLength": 5, "enum": ["x1", "y", "b"]}}}},
         "map": {"type": "object", "maxProperties": 5, "additionalProperties": {"type": "string", "maxLength": 5}}}}}}
        """;

    /// <summary>The CRD's own, without what makes it long.</summary>
    private static string OwnSchema() =>
        CrdDocument.Build()["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!["spec"]!.ToJsonString();

    /// <summary>As the API server reads a body.</summary>
    private static JsonObject Read(string text) =>
        JsonReading.ParseBody(Encoding.UTF8.GetBytes(text), []) as JsonObject ?? throw new RefusedException("no object");

    private static void Check(JsonObject source)
    {
        List<FieldError> errors = [];
        var schema = StructuralSchema.Parse(source, "schema", errors);
        if (errors.Count > 0)
        {
            throw new RefusedException(string.Join(';', errors.Select(error => error.ToString())));
        }

        foreach (var old in (JsonObject?[])[null, JsonNode.Parse(Sample)!.AsObject()])
        {
            var value = JsonNode.Parse(Sample)!.AsObject();
            SchemaPruning.Prune(value, schema);
            SchemaDefaults.Apply(value, schema);
            var first = Validate(value, old, schema);
            if (first != Validate(value, old, schema))
            {
                throw new FuzzFailure("a rule says the same twice", first);
            }
        }
    }

    private static string Validate(JsonObject value, JsonObject? old, StructuralSchema schema) =>
        string.Join('\n', SchemaValidator.Validate(value, old, schema, []).Select(error => error.ToString()));

    private sealed class RefusedException(string why) : Exception(why);
}
