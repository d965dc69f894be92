using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Text;
using System.Text.Json;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Constraints;
using Cluster.Worker.Tests.Tokenization;
using Cluster.Worker.Tokenization;
using Json.Schema;
using Validator = Json.Schema.JsonSchema;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>What structured outputs are asked for by: each compiles or is refused, and what a compiled one lets through is what was asked
/// for.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Walks that can be repeated.")]
internal static class ConstraintTargets
{
    private const int Walks = 2;
    private const int MostTokens = 120;

    private static readonly string[] RegexPieces =
    [
        "a", "é", "😀", "\0", "\n", ".", "\\", "\\d", "\\W", "\\x", "\\x4", "\\xff", "\\u", "\\u{", "\\u{110000}", "\\u{1F600}", "\\c",
        "\\1",
        "\\k<n>", "\\Q", "[", "]", "[^", "[a-", "[a-\\", "[]", "[^]", "[\\d-z]", "[z-a]", "[[:alpha:]]", "-", "^", "$", "|", "||", "(",
        ")", "(?",
        "(?:", "(?P<n>", "(?<n>", "(?#", "(?=", "(?i)", "*", "+", "?", "{", "}", "{,", "{1", "{1,", "{1,2", "{1,2}", "{0}",
        "{99999999999}", "{2,1}",
        "{1024}", "{,5}", "{-1}", "{ 1 }", "(a|b)*", "\\p{L}", "\\b",
    ];

    private static readonly string[] SchemaWords =
    [
        "\"object\"", "\"array\"", "\"string\"", "\"integer\"", "\"number\"", "\"boolean\"", "\"null\"",
        "{\"type\": \"integer\", \"minimum\": 3}",
        "{\"type\": \"string\", \"maxLength\": 3}", "{\"anyOf\": [{\"type\": \"null\"}, {\"const\": 1}]}", "{\"$ref\": \"#\"}",
        "{\"$ref\": \"#/$defs/t\"}",
        "{\"enum\": [1, \"a\", null]}", "{\"prefixItems\": [{\"const\": 1}]}", "{\"pattern\": \"^[a-z]{2}$\"}", "{\"allOf\": [{}]}",
        "{\"oneOf\": [true]}",
        "{\"properties\": {\"a\": {\"type\": \"integer\"}}, \"required\": [\"a\"]}", "{\"format\": \"date\"}", "\"date-time\"", "[\"a\"]",
    ];

    private static readonly EvaluationOptions Evaluation = new() { RequireFormatValidation = true };

    /// <summary>Every byte, a few longer tokens, and the end.</summary>
    private static readonly Lazy<Tokenizer> Words = new(() => TinyTokenizer.OfBytes().WithMerge("t", "r").WithMerge("u", "e")
        .WithMerge("tr", "ue").WithMerge("a", "b").WithAdded("</s>").Build());

    private static readonly Lazy<ConstraintCompiler> Compiler = new(() =>
        new ConstraintCompiler(Words.Value, Words.Value.VocabSize, [Eos]));

    private static int Eos => Words.Value.TokenToId("</s>")!.Value;

    public static IFuzzTarget Regex(string name) => new TextTarget(
        name, SeedFiles.Texts(
            @"^(?P<year>[0-9]{4})-(?:0[1-9]|1[0-2])[^\x00-\x1f\]a-z]{2,5}?(foo|bar\.|\\)*$", @"(ab|c)+[0-9]{1,3}", @"^x+\d\s\w$",
            @"[a-zA-Z0-9._%+-]+@[a-z]+\.[a-z]{2,}"),
        new PieceMutator(RegexPieces), IsRefusal, pattern => Walk(new Constraint.Regex(pattern), _ => true))
    {
        Limits = FuzzLimits.Default with { Cost = 3 },
    };

    public static IFuzzTarget Schema(string name) => new TextTarget(
        name, [.. SeedFiles.Under("tests/fixtures/seeds/json-schemas", "*.json")],
        new AnyMutator(new TextMutator(SchemaWords), new ValueMutator()), IsRefusal,
        schema => Walk(new Constraint.JsonSchema(schema), text => Agrees(schema, text)))
    {
        Limits = FuzzLimits.Default with { Cost = 3 },
    };

    private static bool IsRefusal(Exception exception) => exception is InvalidRequestException or GenerationFailedException;

    /// <summary>Random walks along the masks; whatever ends must be valid.</summary>
    private static void Walk(Constraint constraint, Func<string, bool> isValid)
    {
        var compiled = Compiler.Value.Compile(constraint);
        for (var walk = 0; walk < Walks; walk++)
        {
            if (Sample(compiled, new Random(walk)) is { } text && !isValid(text))
            {
                throw new FuzzFailure("another validator accepts what the automaton does", text);
            }
        }
    }

    private static string? Sample(CompiledConstraint compiled, Random random)
    {
        List<byte> bytes = [];
        var state = compiled.Start;
        for (var i = 0; i < MostTokens; i++)
        {
            var mask = compiled.Mask(state);
            var allowed = mask.Sum(BitOperations.PopCount);
            if (allowed == 0)
            {
                throw new FuzzFailure("something may come next", Encoding.UTF8.GetString([.. bytes]));
            }

            var mayEnd = (mask[Eos / 64] >> (Eos % 64) & 1) != 0;
            var token = mayEnd && random.Next(4) == 0 ? Eos : Nth(mask, random.Next(allowed));
            if (token == Eos)
            {
                return Encoding.UTF8.GetString([.. bytes]);
            }

            bytes.AddRange(Words.Value.TokenBytes(token)!);
            state = compiled.Advance(state, token) ?? throw new FuzzFailure("what the mask allows is accepted", $"token {token}");
        }

        return null;
    }

    private static int Nth(ulong[] mask, int index)
    {
        for (var token = 0; ; token++)
        {
            if ((mask[token / 64] >> (token % 64) & 1) != 0 && index-- == 0)
            {
                return token;
            }
        }
    }

    /// <summary>What the other validator does not read says nothing.</summary>
    private static bool Agrees(string schema, string text)
    {
        using var value = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 1000 });
        try
        {
            return Validator.FromText(schema, new BuildOptions { SchemaRegistry = new SchemaRegistry() })
                .Evaluate(value.RootElement, Evaluation).IsValid;
        }
        catch (Exception)
        {
            return true;
        }
    }
}
