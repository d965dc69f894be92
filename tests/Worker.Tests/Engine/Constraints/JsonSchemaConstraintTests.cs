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
        { """{"type": "object", "properties": {"a": false, "b": {"const": 1}}}""", "{} {\"b\":1}", "{\"a\":1}", "" },
    };

    /// <summary>OpenAPI's nullable, and a reference that goes in a circle, which the specification leaves open.</summary>
    public static TheoryData<string, string, string, string> DocumentsOutsideOfTheSpecification => new()
    {
        { """{"type": "string", "nullable": true}""", "null \"\"", "1", "" },
        { """{"anyOf": [{"$ref": "#"}, {"const": 1}]}""", "1", "2", "" },
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
    [InlineData("""{"type": "object", "patternProperties": {}}""", "patternProperties")]
    [InlineData("""{"type": "array", "uniqueItems": true}""", "uniqueItems")]
    [InlineData("""{"type": "integer", "multipleOf": 3}""", "multipleOf")]
    [InlineData("""{"type": "text"}""", "type")]
    [InlineData("""{"$ref": "https://example.org/schema"}""", "$ref")]
    [InlineData("""{"$ref": "#/$defs/missing"}""", "missing")]
    [InlineData("""{"type": "string", "format": "color"}""", "date-time")]
    [InlineData("""{"type": "string", "pattern": "(?=a)"}""", "lookahead")]
    [InlineData("""{"type": "string", "maxLength": 1000000000}""", "8192")]
    [InlineData("""{"type": "array", "minItems": 1000000000}""", "1024")]
    [InlineData(
        """{"type": "array", "items": {"type": "string", "minLength": 8000}, "prefixItems": [{"minLength": 8000}, {"minLength": 8000}, {"minLength": 8000}]}""", "200000 nodes")]
    [InlineData("""{"type": "integer", "minimum": 5, "maximum": 4}""", "minimum")]
    [InlineData("""{"type": "integer", "minimum": 1e30}""", "minimum")]
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
