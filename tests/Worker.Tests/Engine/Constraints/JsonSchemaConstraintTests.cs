using System.Text.Json;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine.Constraints;

public sealed class JsonSchemaConstraintTests
{
    [Fact]
    public void Outputs_of_200_random_schemas_are_valid()
    {
        var random = new Random(5);
        var ended = 0;
        Assert.All(RandomSchemas.Make(200, seed: 6), schema =>
        {
            var constraint = Compiled.Schema(schema);
            for (var i = 0; i < 4; i++)
            {
                if (constraint.Sample(random, 250) is { } text)
                {
                    ended++;
                    Assert.True(SchemaValidator.IsValid(schema, text), $"{schema}\n{text}");
                    Assert.True(SecondOpinion.IsValid(schema, text), $"JsonSchema.Net refuses\n{schema}\n{text}");
                }
            }
        });

        Assert.InRange(ended, 200, 800);
    }

    [Fact]
    public void Any_object_is_an_object_and_nests_only_so_deep()
    {
        var constraint = Compiled.Of(new Constraint.JsonObject());
        Assert.True(constraint.Accepts("""{"a": [1, -2.5e3, {"b": null}], "é\u00e9\n": "x"}"""));
        Assert.True(constraint.Accepts("{\n  \"a\": {}\n}"));
        Assert.False(constraint.Accepts("[1]"));
        Assert.False(constraint.Accepts("""{"a": 01}"""));
        Assert.False(constraint.Accepts("""{"a": "\ud800"}"""));
        Assert.True(constraint.Accepts("{\"a\": " + new string('[', 20) + new string(']', 20) + "}"));
        Assert.False(constraint.Accepts("{\"a\": " + new string('[', 200) + new string(']', 200) + "}"));
        var random = new Random(7);
        for (var i = 0; i < 30; i++)
        {
            if (constraint.Sample(random, 400) is { } text)
            {
                using var document = JsonDocument.Parse(text);
                Assert.Equal(JsonValueKind.Object, document.RootElement.ValueKind);
            }
        }
    }

    /// <summary>Schema; documents it allows; documents it refuses; documents that the specification allows and we refuse, by choice:
    /// one spelling of a number is enough, and an object whose properties are listed gets no others.</summary>
    public static TheoryData<string, string, string, string> Documents => new()
    {
        { """{"type": "integer", "minimum": -5, "maximum": 12}""", "-5 0 12 7 -1", "-6 13 00 007", "-0 1.0" },
        { """{"type": "integer", "exclusiveMinimum": 99, "maximum": 1000}""", "100 999 1000", "99 1001 10000", "" },
        { """{"type": "integer", "maximum": 1000000000000000000}""", "0 -7 999999999999999999 1000000000000000000", "1000000000000000001 9999999999999999999", "" },
        { """{"type": "integer", "minimum": -1000000000000000000}""", "0 -999999999999999999 -1000000000000000000", "-1000000000000000001", "" },
        { """{"type": "integer", "minimum": 1000000000000000000}""", "1000000000000000000", "1 999999999999999999", "" },
        { """{"type": "number", "minimum": 0, "maximum": 1}""", "0 1 0.5 0.000001", "1.5 -0.5 2", "" },
        { """{"type": ["string", "null"], "maxLength": 2}""", "null \"ab\" \"日本\" \"\\n\\u0041\"", "\"abc\" 1", "" },
        { """{"prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 1}""", "[1] [1,2] [1,2,2]", "[] [2] [1,1]", "" },
        { """{"items": false}""", "[]", "[1]", "" },
        { """{"properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b"]}""", "{\"a\":1,\"b\":2} {\"b\":2}", "{} {\"a\":1} {\"b\":2,}", "{\"b\":2,\"c\":3}" },
        { """{"properties": {"a": {"const": 1}}, "additionalProperties": {"const": 2}}""", "{} {\"a\":1} {\"a\":1,\"b\":2} "
            + "{\"aa\":2,\"\":2}", "{\"a\":2} {\"b\":1} {\"\\u0061\":2}", "" },
        { """{"type": "integer", "multipleOf": 7, "minimum": -14, "maximum": 21}""", "-14 -7 0 7 21", "-13 1 20 28", "" },
        { """{"type": "number", "multipleOf": 0.05, "maximum": 2}""", "0 1 1.5 0.05 1.95 -3.10 1.950", "0.01 1.96 2.05", "" },
        { """{"exclusiveMinimum": 0.25, "exclusiveMaximum": 0.5}""", "0.26 0.250001 0.4 0.499999", "0.25 0.5 0.250 0.50 1 0", "" },
        { """{"minimum": 18446744073709551615, "maximum": 18446744073709551617, "type": "integer"}""", "18446744073709551615 18446744073709551617",
            "18446744073709551614 18446744073709551618", "" },
        { """{"items": {"enum": ["a", "b", "c"]}, "uniqueItems": true, "minItems": 1}""", "[\"a\"] [\"c\",\"a\",\"b\"]",
            "[] [\"a\",\"a\"] [\"a\",\"b\",\"a\"]", "" },
        { """{"patternProperties": {"^x": {"const": 1}, "y$": {"enum": [1, 2]}}, "additionalProperties": false}""",
            "{} {\"x\":1} {\"ay\":2,\"xy\":1}", "{\"x\":2} {\"xy\":2} {\"a\":1}", "" },
        { """{"propertyNames": {"maxLength": 2}, "properties": {"ab": {"const": 1}, "abc": {"const": 1}}, "additionalProperties": {"const": 2}}""",
            "{\"ab\":1} {\"a\":2}", "{\"abc\":1} {\"xyz\":2}", "" },
        { """{"propertyNames": {"enum": ["n", "s"]}, "additionalProperties": {"const": 2}, "minProperties": 1}""",
            "{\"n\":2} {\"n\":2,\"s\":2}", "{} {\"w\":2} {\"n\":1}", "{\"s\":2,\"n\":2}" },
        { """{"properties": {"a": {"const": 1}, "b": {"const": 1}, "c": {"const": 1}}, "minProperties": 2, "maxProperties": 2}""",
            "{\"a\":1,\"c\":1} {\"b\":1,\"c\":1}", "{} {\"a\":1} {\"a\":1,\"b\":1,\"c\":1}", "" },
        { """{"properties": {"a": {"const": 1}}, "additionalProperties": {"const": 2}, "maxProperties": 2, "minProperties": 1}""",
            "{\"a\":1} {\"b\":2} {\"a\":1,\"b\":2}", "{} {\"a\":1,\"b\":2,\"c\":2}", "" },
        { """{"properties": {"a": {"const": 1}}, "maxProperties": 0}""", "{}", "{\"a\":1}", "" },
        { """{"type": "string", "format": "date", "pattern": "^2026-0[12]", "maxLength": 10}""", "\"2026-01-31\"", "\"2027-01-31\" \"2026-01\"", "" },
        { """{"allOf": [{"pattern": "^a"}, {"pattern": "b$", "minLength": 3}]}""", "\"acb\"", "\"ab\" \"bcb\" \"abc\"", "" },
        { """{"enum": ["a", "abc", 5, 7], "maxLength": 2, "maximum": 6}""", "\"a\" 5", "\"abc\" 7", "" },
        { """{"$ref": "#/$defs/n", "minimum": 3, "$defs": {"n": {"type": "integer", "maximum": 5}}}""", "3 5", "2 6 \"a\"", "" },
        { """{"type": "object", "properties": {"a": false, "b": {"const": 1}}}""", "{} {\"b\":1}", "{\"a\":1}", "" },
    };

    /// <summary>OpenAPI's nullable, and a reference that goes in a circle, which the specification leaves open.</summary>
    public static TheoryData<string, string, string, string> DocumentsOutsideOfTheSpecification => new()
    {
        { """{"type": "string", "nullable": true}""", "null \"\"", "1", "" },
        { """{"anyOf": [{"$ref": "#"}, {"const": 1}]}""", "1", "2", "" },
        { """{"items": [{"const": 1}, {"const": 2}], "additionalItems": {"const": 3}}""", "[] [1] [1,2] [1,2,3,3]", "[2] [1,2,2]", "" },
        { """{"items": [{"const": 1}], "additionalItems": false}""", "[] [1]", "[1,1]", "" },
        { """{"x-order": 1, "example": [], "discriminator": {}, "contentEncoding": "base64", "const": 1}""", "1", "2", "" },
        { """{"type": "string", "format": "int64", "maxLength": 1}""", "\"a\"", "\"ab\"", "" },
        { """{"type": "integer", "minimum": 5, "exclusiveMinimum": true}""", "6", "5", "" },
    };

    [Theory, MemberData(nameof(Documents)), MemberData(nameof(DocumentsOutsideOfTheSpecification))]
    public void A_schema_accepts_and_rejects(string schema, string accepted, string rejected, string narrower)
    {
        var constraint = Compiled.Schema(schema);
        Assert.All(accepted.Split(' '), text => Assert.True(constraint.Accepts(text), text));
        Assert.All(rejected.Split(' '), text => Assert.False(constraint.Accepts(text), text));
        Assert.All(narrower.Split(' ', StringSplitOptions.RemoveEmptyEntries), text => Assert.False(constraint.Accepts(text), text));
    }

    [Theory, MemberData(nameof(Documents))]
    public void Another_validator_accepts_and_rejects_the_same(string schema, string accepted, string rejected, string narrower)
    {
        Assert.All(accepted.Split(' '), text => Assert.True(SecondOpinion.IsValid(schema, text), text));
        Assert.All(rejected.Split(' '), text => Assert.False(SecondOpinion.IsValid(schema, text), text));
        Assert.All(
            narrower.Split(' ', StringSplitOptions.RemoveEmptyEntries), text => Assert.True(SecondOpinion.IsValid(schema, text), text));
    }

    [Theory]
    [InlineData("""{"not": {}}""", "not")]
    [InlineData("""{"type": "array", "uniqueItems": true}""", "uniqueItems")]
    [InlineData("""{"properties": {"a": {"properties": {"b/c": {"not": {"type": "null"}}}}}}""", "(at #/properties/a/properties/b~1c/not)")]
    [InlineData("""{"properties": {"a": {"items": {"multipleOf": 123457, "minimum": 0}}}}""", "(at #/properties/a/items/multipleOf)")]
    [InlineData("""{"$defs": {"x": {"multipleOf": 0}}, "items": {"$ref": "#/$defs/x"}}""", "(at #/$defs/x/multipleOf)")]
    [InlineData("""{"allOf": [{"type": "array"}, {"uniqueItems": true}]}""", "uniqueItems")]
    [InlineData("""{"properties": {"a": {"additionalProperties": {}, "minProperties": 2}}}""", "(at #/properties/a/minProperties)")]
    [InlineData("""{"properties": {"a": {"pattern": "(?<=a)b"}}}""", "(at #/properties/a/pattern)")]
    [InlineData("""{"patternProperties": {"(": {}}}""", "(at #/patternProperties/()")]
    [InlineData("""{"propertyNames": {"pattern": "^a"}, "required": ["b"]}""", "propertyNames")]
    [InlineData("""{"type": "string", "pattern": "^a", "maxLength": 0}""", "no text")]
    [InlineData("""{"minimum": 1e999}""", "minimum")]
    [InlineData("""{"if": {}, "then": {"type": "null"}}""", "if")]
    [InlineData("""{"contains": {"const": 1}}""", "contains")]
    [InlineData("""{"dependentRequired": {"a": ["b"]}}""", "dependentRequired")]
    [InlineData("""{"type": "text"}""", "type")]
    [InlineData("""{"$ref": "https://example.org/schema"}""", "$ref")]
    [InlineData("""{"$ref": "#/$defs/missing"}""", "missing")]
    [InlineData("""{"type": "string", "maxLength": 1000000000}""", "8192")]
    [InlineData("""{"type": "array", "minItems": 1000000000}""", "1024")]
    [InlineData(
        """{"type": "array", "items": {"type": "string", "minLength": 8000}, "prefixItems": [{"minLength": 8000}, {"minLength": 8000}, {"minLength": 8000}]}""", "200000 nodes")]
    [InlineData("""{"type": "integer", "minimum": 5, "maximum": 4}""", "minimum")]
    [InlineData("""{"oneOf": [{"type": "integer"}, {"type": "number"}]}""", "oneOf")]
    [InlineData("""{"$ref": "#"}""", "no text")]
    [InlineData("""{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}""", "no text")]
    [InlineData("""{"type": "object", "properties": {"a": 5}}""", "5")]
    [InlineData("{\"type\": \"\\ud800\"}", "Unicode")]
    [InlineData("{\"properties\": {\"\\udc00\": {}}}", "Unicode")]
    [InlineData("{\"enum\": [\"\\ud800\"]}", "Unicode")]
    [InlineData("{\"\\ud800\": 1}", "Unicode")]
    [InlineData("false", "no text")]
    [InlineData("{", "JSON")]
    [InlineData("5", "schema")]
    public void What_cannot_be_kept_is_refused_by_name(string schema, string named)
    {
        var refused = Assert.Throws<InvalidRequestException>(() => Compiled.Schema(schema));
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Not a case above: attributes are written as UTF-8, which has no half pairs.</summary>
    [Fact]
    public void Half_a_surrogate_pair_that_is_not_escaped_is_refused_too() =>
        Assert.Contains(
            "Unicode", Assert.Throws<InvalidRequestException>(() => Compiled.Schema("\"\ud800\"")).Message, StringComparison.Ordinal);

    [Fact]
    public void Hostile_sizes_are_refused_with_the_limit()
    {
        Assert.Contains("4096", Refusal($$"""{"enum": [{{string.Join(',', Enumerable.Range(0, 10_000))}}]}"""), StringComparison.Ordinal);
        Assert.Contains(
            "256", Refusal($$"""{"anyOf": [{{string.Join(',', Enumerable.Repeat("{}", 10_000))}}]}"""), StringComparison.Ordinal);
        Assert.Contains(
            "64", Refusal(string.Concat(Enumerable.Repeat("{\"items\":", 5000)) + "{}" + new string('}', 5000)), StringComparison.Ordinal);
        Assert.Contains("1048576", Refusal(new string(' ', 2_000_000)), StringComparison.Ordinal);
    }

    private static string Refusal(string schema) => Assert.Throws<InvalidRequestException>(() => Compiled.Schema(schema)).Message;
}
