using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>An independent reading of tokenizer.json: Hugging Face's tokenizers in JavaScript, run by node.</summary>
internal static class NodeTokenizer
{
    private const string Script = """
        import fs from "fs";
        const { Tokenizer } = await import(process.argv[2]);
        const { files, texts } = JSON.parse(fs.readFileSync(0, "utf8"));
        const tokenizer = new Tokenizer(files.tokenizer, files.config);
        console.log(JSON.stringify(texts.map(text => {
          const ids = tokenizer.encode(text).ids;
          return { ids, decoded: ids.length ? tokenizer.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false }) : "" };
        })));
        """;

    private static readonly JsonSerializerOptions Options = new() { PropertyNameCaseInsensitive = true };

    internal sealed record Result(int[] Ids, string Decoded);

    /// <summary>Ids with special tokens and what they decode to, per text. Skips the test where node or the package is not to be
    /// had.</summary>
    public static IReadOnlyList<Result> Run(JsonNode tokenizer, IReadOnlyList<string> texts, JsonNode? config = null)
    {
        var module = Path.Combine(NpmPackage.Install("@huggingface/tokenizers", "0.2.0"), "dist", "tokenizers.mjs");
        JsonObject input = new()
        {
            ["files"] = new JsonObject { ["tokenizer"] = tokenizer.DeepClone(), ["config"] = config?.DeepClone() ?? new JsonObject() },
            ["texts"] = new JsonArray([.. texts.Select(text => (JsonNode?)text)]),
        };
        return JsonSerializer.Deserialize<List<Result>>(
            NodeScript.Run("oracle.mjs", Script, input.ToJsonString(), new Uri(module).AbsoluteUri), Options)!;
    }
}
