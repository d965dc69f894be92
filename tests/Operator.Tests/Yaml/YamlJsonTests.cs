using System.Text.Json.Nodes;
using Cluster.Operator.Yaml;
using FsCheck;
using FsCheck.Fluent;

namespace Cluster.Operator.Tests.Yaml;

public class YamlJsonTests
{
    [Theory]
    [InlineData("NO", "false")]
    [InlineData("no", "false")]
    [InlineData("off", "false")]
    [InlineData("n", "false")]
    [InlineData("yes", "true")]
    [InlineData("On", "true")]
    [InlineData("y", "true")]
    [InlineData("TRUE", "true")]
    [InlineData("tRUE", "\"tRUE\"")]
    [InlineData("\"NO\"", "\"NO\"")]
    [InlineData("'no'", "\"no\"")]
    [InlineData("~", "null")]
    [InlineData("Null", "null")]
    [InlineData("", "null")]
    [InlineData("'~'", "\"~\"")]
    [InlineData("''", "\"\"")]
    [InlineData("0755", "493")]
    [InlineData("0o755", "493")]
    [InlineData("0x1F", "31")]
    [InlineData("0b101", "5")]
    [InlineData("-0x10", "-16")]
    [InlineData("+12", "12")]
    [InlineData("1_000", "1000")]
    [InlineData("08", "8")]
    [InlineData("0", "0")]
    [InlineData("-0", "0")]
    [InlineData("1e3", "1000")]
    [InlineData("1.50", "1.5")]
    [InlineData(".5", "0.5")]
    [InlineData("-.5e-1", "-0.05")]
    [InlineData("3.", "3")]
    [InlineData("0.01", "0.01")]
    [InlineData("0.0.1", "\"0.0.1\"")]
    [InlineData("0-1", "\"0-1\"")]
    [InlineData("192.168.0.1", "\"192.168.0.1\"")]
    [InlineData("18446744073709551615", "18446744073709551615")]
    [InlineData("-9223372036854775808", "-9223372036854775808")]
    [InlineData("\"8080\"", "\"8080\"")]
    [InlineData("1.2.3", "\"1.2.3\"")]
    [InlineData("12:30", "\"12:30\"")]
    [InlineData("2026-01-31", "\"2026-01-31\"")]
    [InlineData("2026-01-31T10:00:00Z", "\"2026-01-31T10:00:00Z\"")]
    [InlineData("74a1", "\"74a1\"")]
    [InlineData("0x", "\"0x\"")]
    [InlineData("0xZZ", "\"0xZZ\"")]
    [InlineData(".", "\".\"")]
    [InlineData("-", "\"-\"")]
    [InlineData("100m", "\"100m\"")]
    [InlineData("!!str 123", "\"123\"")]
    [InlineData("!!int \"3\"", "3")]
    [InlineData("hf://meta-llama/Llama@main", "\"hf://meta-llama/Llama@main\"")]
    public void Scalars_mean_what_kubectl_makes_of_them(string yaml, string json)
    {
        // A lone dash is a list; inside a flow list it is a word.
        var text = yaml == "-" ? "x: [\"-\"]" : $"x: {yaml}";
        var value = YamlJson.Parse(text, "f.yaml")!["x"];
        Assert.Equal(json, (yaml == "-" ? value![0] : value)?.ToJsonString().Replace("\\u002B", "+", StringComparison.Ordinal) ?? "null");
    }

    [Fact]
    public void Block_scalars_keep_or_fold_their_line_breaks()
    {
        var node = YamlJson.Parse("""
            literal: |
              a: 1
                b
            kept: |+
              x

            stripped: |-
              007
            folded: >
              one
              two

              three
            """, "f.yaml")!;
        Assert.Equal("a: 1\n  b\n", (string)node["literal"]!);
        Assert.Equal("x\n\n", (string)node["kept"]!);
        Assert.Equal("007", (string)node["stripped"]!);
        Assert.Equal("one two\nthree", ((string)node["folded"]!).TrimEnd());
    }

    [Fact]
    public void Keys_that_read_as_numbers_or_booleans_become_their_text()
    {
        var node = YamlJson.Parse("{1: a, on: b, \"yes\": c, 0x10: d}", "f.yaml")!.AsObject();
        Assert.Equal(["1", "true", "yes", "16"], node.Select(item => item.Key));
    }

    [Fact]
    public void Every_document_is_read_with_its_line_and_empty_ones_are_left_out()
    {
        var documents = YamlJson.ParseAll("# only a comment\n---\na: 1\n---\n---\n# second\n\nb: 2\n...\n", "f.yaml");
        Assert.Equal([3L, 8L], documents.Select(document => document.Line));
        Assert.Equal(["""{"a":1}""", """{"b":2}"""], documents.Select(document => document.Root.ToJsonString()));
    }

    [Fact]
    public void Aliases_copy_and_merge_keys_fill_in_what_is_missing()
    {
        var node = YamlJson.Parse("""
            base: &base {cpu: 1, memory: 2Gi}
            more: &more {memory: 9Gi, disk: 5}
            same: *base
            merged:
              cpu: 4
              <<: [*base, *more]
            """, "f.yaml")!;
        Assert.Equal("""{"cpu":1,"memory":"2Gi"}""", node["same"]!.ToJsonString());
        Assert.Equal("""{"cpu":4,"memory":"2Gi","disk":5}""", node["merged"]!.ToJsonString());
    }

    [Fact]
    public void A_billion_laughs_are_refused_before_they_are_laughed()
    {
        var text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
            + string.Concat(
                Enumerable.Range(1, 12).Select(i => $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n"));
        var error = Assert.Throws<YamlSyntaxException>(() => YamlJson.Parse(text, "bomb.yaml"));
        Assert.Contains("unfolds to more than", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a: 1\nb: 2\na: 3\n", 3, 1, "key 'a' is already set")]
    [InlineData("1: x\n\"1\": y\n", 2, 1, "key '1' is already set")]
    [InlineData("a:\n  - b\n c: 1\n", 3, 2, "")]
    [InlineData("a: [1, 2\n", 2, 1, "")]
    [InlineData("x: *nowhere\n", 1, 4, "")]
    [InlineData("x: &x [*x]\n", 1, 8, "")]
    [InlineData("x: .inf\n", 1, 4, "no JSON form")]
    [InlineData("x: !!binary aGk=\n", 1, 4, "tag")]
    [InlineData("x: !custom {a: 1}\n", 1, 4, "unknown tag")]
    [InlineData("? [a]\n: b\n", 1, 3, "a key must be a scalar")]
    [InlineData("~: b\n", 1, 1, "key cannot be null")]
    [InlineData("<<: 3\n", 1, 1, "'<<' merges")]
    public void Errors_name_file_line_and_column(string text, int line, int column, string problem)
    {
        var error = Assert.Throws<YamlSyntaxException>(() => YamlJson.Parse(text, "dir/f.yaml"));
        Assert.Equal((line, column), (error.Line, error.Column));
        Assert.StartsWith($"dir/f.yaml:{line}:{column}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nesting_is_bounded()
    {
        Assert.Throws<YamlSyntaxException>(() => YamlJson.Parse(new string('[', 50_000), "deep.yaml"));
        Assert.Throws<YamlSyntaxException>(() => YamlJson.Parse(new string('[', 200) + new string(']', 200), "deep.yaml"));
        Assert.NotNull(YamlJson.Parse(new string('[', 60) + new string(']', 60), "deep.yaml"));
    }

    [Fact]
    public void Json_is_yaml_too()
        => Assert.Equal(
            """{"a":[1,"x",null,true],"b":{}}""",
            YamlJson.Parse("{\"a\": [1, \"x\", null, true],\n\t\"b\": {}}", "f.json")!.ToJsonString());

    [Theory]
    [InlineData("plain", "plain\n")]
    [InlineData("no", "\"no\"\n")]
    [InlineData("8080", "\"8080\"\n")]
    [InlineData("", "\"\"\n")]
    [InlineData("a: b", "\"a: b\"\n")]
    [InlineData("a #b", "\"a #b\"\n")]
    [InlineData("- x", "\"- x\"\n")]
    [InlineData("2026-01-31", "\"2026-01-31\"\n")]
    [InlineData("file:///models", "file:///models\n")]
    [InlineData("a\nb", "|-\n  a\n  b\n")]
    [InlineData("a\nb\n", "|\n  a\n  b\n")]
    public void Strings_are_quoted_only_where_they_must_be(string text, string yaml)
        => Assert.Equal($"x: {yaml}", YamlJson.ToYaml(new JsonObject { ["x"] = text }));

    [Fact]
    public void Objects_are_laid_out_as_kubectl_does()
    {
        var node = JsonNode.Parse(
            """{"kind":"Pod","spec":{"containers":[{"name":"worker","args":["a","1"],"env":[]}],"x":{}},"m":[[1,2],null]}""")!;
        Assert.Equal("""
            kind: Pod
            spec:
              containers:
              - name: worker
                args:
                - a
                - "1"
                env: []
              x: {}
            m:
            -
              - 1
              - 2
            - null

            """, YamlJson.ToYaml(node));
    }

    [Fact]
    public void Whatever_is_written_reads_back_equal()
    {
        string[] words = [
            "a", " ", "  ", "\n", "\n\n", ":", "#", "-", "0", "1", "e", ".", "no", "'", "\"", "\\", "\t", "{", "]", "é", "日", "\u0007",
            "\u2028", "\uFEFF", "😀", "%", "@", "~", "<<", "long words for folding that go on and on until the line is full"];
        var text = Gen.Elements(words).ListOf().Select(parts => string.Concat(parts));
        var scalar = Gen.OneOf(
            text.Select(value => (JsonNode)JsonValue.Create(value)),
            Gen.Choose(-1000, 1000).Select(value => (JsonNode)JsonValue.Create(value)),
            Gen.Choose(-1000, 1000).Select(value => (JsonNode)JsonValue.Create((value + 0.5) / 128)),
            Gen.Elements(true, false).Select(value => (JsonNode)JsonValue.Create(value)));
        Gen<JsonNode> Tree(int depth) => depth == 0 ? scalar : Gen.OneOf(
            scalar,
            Tree(depth - 1).ListOf().Select(items => (JsonNode)new JsonArray([.. items.Select(item => item.DeepClone())])),
            Gen.Zip(text, Tree(depth - 1)).ListOf().Select(pairs =>
            {
                JsonObject mapping = [];
                foreach ((var key, var value) in pairs)
                {
                    mapping[key] = value.DeepClone();
                }

                return (JsonNode)mapping;
            }));

        Prop.ForAll(Tree(3).ToArbitrary(), tree => JsonNode.DeepEquals(tree, YamlJson.Parse(YamlJson.ToYaml(tree), "written.yaml")))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(1500).WithReplay(20260731, 77));
    }

    [Fact]
    public void Garbage_gets_a_place_and_never_another_exception()
    {
        string[] pieces = [
            "a", "- ", "? ", ": ", ":", "\n", "\n  ", "\t", "{", "}", "[", "]", ",", "&a ", "*a", "!!int ", "!", "!<x>", "|", ">", "|9",
            ">-", "'", "\"", "\\", "\\x4", "\\uD800", "#", "---", "...", "%YAML 1.1\n", "%TAG ! x\n", "<<: ", "~", "0x", "\0", "\uFEFF",
            "\u2028", "\uD83D", "@", "`", "1e999", "-.inf"];
        Prop.ForAll(Gen.Elements(pieces).ListOf().Select(parts => string.Concat(parts)).ToArbitrary(), text =>
        {
            try
            {
                YamlJson.ParseAll(text, "garbage");
            }
            catch (YamlSyntaxException error)
            {
                Assert.True(error.Line > 0 && error.Column > 0, error.Message);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000).WithReplay(4711, 13));
    }
}
