using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Text → ids and conversation → prompt of a real tokenizer, as the reference implementation makes them. The file names the npm
/// package that holds the tokenizer itself.</summary>
internal sealed record TokenizerGolden(
    string Package, string Version, IReadOnlyList<TokenizerGolden.EncodeCase> Cases, IReadOnlyList<TokenizerGolden.ChatCase> Chats)
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    internal sealed record EncodeCase(
        string Text, int[] Ids, [property: JsonPropertyName("ids_with_special")] int[] IdsWithSpecial, string Decoded);

    internal sealed record ChatCase(JsonArray Messages, bool AddGenerationPrompt, string Rendered);

    /// <summary>Loads a golden and the folder of its tokenizer files. Skips the test where either is not to be had.</summary>
    public static (TokenizerGolden Golden, string Folder) Load(string name)
    {
        var shared = Environment.GetEnvironmentVariable("CLUSTER_SHARED") ?? Path.Combine(RepositoryRoot.Path, "..", "shared");
        var path = Path.Combine(shared, "goldens", "tokenizers", name + ".json");
        if (!File.Exists(path))
        {
            Assert.Skip($"{path} is not there; CLUSTER_SHARED names the folder that has goldens/tokenizers");
        }
        var golden = JsonSerializer.Deserialize<TokenizerGolden>(File.ReadAllText(path), Options)!;
        return (golden, Path.Combine(NpmPackage.Install(golden.Package, golden.Version), "models"));
    }
}
