using System.Diagnostics;
using System.Text;
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
        using var folder = new TemporaryFolder().With("oracle.mjs", Script);
        ProcessStartInfo start = new("node", [Path.Combine(folder.Path, "oracle.mjs"), new Uri(module).AbsoluteUri])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            StandardOutputEncoding = Encoding.UTF8,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        JsonObject input = new()
        {
            ["files"] = new JsonObject { ["tokenizer"] = tokenizer.DeepClone(), ["config"] = config?.DeepClone() ?? new JsonObject() },
            ["texts"] = new JsonArray([.. texts.Select(text => (JsonNode?)text)]),
        };
        process.StandardInput.Write(input.ToJsonString());
        process.StandardInput.Close();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors.Result);
        return JsonSerializer.Deserialize<List<Result>>(output.Result, Options)!;
    }
}
