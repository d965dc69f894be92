using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Tests.Shared.Fuzzing;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Fuzz;

/// <summary>Thousands of damaged checkpoint files: each is read, or refused by an error of ours that names it, without much memory. The
/// seed is fixed; a failure prints the number of the mutation, which reproduces it.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class BadFileTests(ITestOutputHelper output)
{
    // Only an endless loop runs into it.
    private const int TimeoutMilliseconds = 180_000;

    private static readonly TextMutator Mutator = new();

    private static readonly string Haiku = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models", "haiku-1m");

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_safetensors_files_are_refused() =>
    Fuzz(1500, "model.safetensors", Seed("safetensors-header.json"), Safetensors, path => SafetensorsFile.Open(path));

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_safetensors_indices_are_refused() => Fuzz(
        300, "model.safetensors.index.json",
        Seed("model.safetensors.index.json"), Encoded, path => Checkpoint.Open(Path.GetDirectoryName(path)!));

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_configurations_are_refused() => Fuzz(
        1000, "config.json", File.ReadAllText(Path.Combine(Haiku, "config.json")), Encoded,
        path => ModelConfig.Load(Path.GetDirectoryName(path)!));

    /// <summary>Folders of tests/fixtures/goldens: every architecture and every quantization has fields of its own.</summary>
    public static TheoryData<string> Goldens { get; } =
    [
        .. Directory.EnumerateFiles(GoldenFolder, "config.json", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(GoldenFolder, Path.GetDirectoryName(file)!)).Order(StringComparer.Ordinal),
    ];

    private static string GoldenFolder => Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "goldens");

    [Theory(Timeout = TimeoutMilliseconds), MemberData(nameof(Goldens))]
    public Task Damaged_configurations_of_every_architecture_and_quantization_are_refused(string golden) => Fuzz(
        150, "config.json", File.ReadAllText(Path.Combine(GoldenFolder, golden, "config.json")), Encoded,
        path => ModelConfig.Load(Path.GetDirectoryName(path)!));

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_rope_scaling_is_refused() => Fuzz(
        600, "config.json", Seed("config-scaled.json"), Encoded, path => ModelConfig.Load(Path.GetDirectoryName(path)!));

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_generation_configurations_are_refused() => Fuzz(
        300, "generation_config.json", Seed("generation_config.json"), Encoded,
        path => ModelConfig.Load(Path.GetDirectoryName(path)!));

    [Theory(Timeout = TimeoutMilliseconds)]
    [InlineData("byte level BPE")]
    [InlineData("SentencePiece BPE")]
    [InlineData("Unigram")]
    [InlineData("WordPiece")]
    public Task Damaged_tokenizers_are_refused(string kind) => Fuzz(600, "tokenizer.json", Tokenizers.Json(kind), Encoded, Tokenize);

    [Theory(Timeout = TimeoutMilliseconds)]
    [InlineData("tekken.json")]
    [InlineData("qwen.tiktoken")]
    [InlineData("tokenizer.model")]
    [InlineData("vocab.txt")]
    public Task Damaged_tokenizers_of_other_forms_are_refused(string file) =>
        Fuzz(400, file, Tokenizers.File(file), Encoded, Tokenize, hasTokenizer: false);

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_tokenizer_configurations_are_refused() => Fuzz(
        500, "tokenizer_config.json", Seed("tokenizer_config.json"), Encoded, path =>
        {
            Tokenize(path);
            Render(path);
        });

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_chat_templates_are_refused() => Fuzz(1200, "chat_template.jinja", Seed("chat_template.jinja"), Encoded, Render);

    private Task Fuzz(int cases, string name, string original, Func<byte[], byte[]> encode, Action<string> read) =>
        Fuzz(cases, name, Encoding.UTF8.GetBytes(original), encode, read);

    [SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
    private async Task Fuzz(
        int cases, string name, byte[] original, Func<byte[], byte[]> encode, Action<string> read, bool hasTokenizer = true)
    {
        using TemporaryFolder folder = new();
        folder.With("config.json", File.ReadAllText(Path.Combine(Haiku, "config.json")));
        if (hasTokenizer)
        {
            folder.With("tokenizer.json", Tokenizers.Json("byte level BPE"));
        }
        var path = Path.Combine(folder.Path, name);
        Outcome outcome = new();
        // A thread of its own: the runner's timeout needs the test's to be free.
        await Task.Run(() =>
        {
            File.WriteAllBytes(path, encode(original));
            if (name != "model.safetensors.index.json")
            {
                read(path);
            }
            for (var seed = 0; seed < cases; seed++)
            {
                var damaged = encode(Mutator.Mutate(original, new Random(seed)));
                File.WriteAllBytes(path, damaged);
                outcome.Run($"{name} mutation {seed}", folder.Path, () => read(path));
            }
        }, TestContext.Current.CancellationToken);
        output.WriteLine($"{name}: {outcome.Refused} refused, {outcome.Accepted} read");
        Assert.True(
            outcome.Failures.Count == 0,
            $"{outcome.Failures.Count} of {cases} ended badly:\n{string.Join("\n\n", outcome.Failures.Take(8))}");
        Assert.True(outcome.Refused > cases / 10, $"only {outcome.Refused} of {cases} mutations were refused; the mutator does no damage");
    }

    private static void Tokenize(string path)
    {
        var tokenizer = Tokenizer.Load(Path.GetDirectoryName(path)!);
        var ids = tokenizer.Encode("Hello,  Wörld ▁ <s> 😀 12345\n\n\u0301x", addSpecialTokens: true);
        tokenizer.Decode([.. ids], skipSpecialTokens: true);
    }

    private static void Render(string path)
    {
        JsonArray messages = [
            new JsonObject { ["role"] = "user", ["content"] = "hi" }, new JsonObject { ["role"] = "assistant", ["content"] = "ho" }];
        if (ChatTemplate.Load(Path.GetDirectoryName(path)!) is not { } template)
        {
            return;
        }
        try
        {
            template.Render(messages, tools: null, addGenerationPrompt: true);
        }
        catch (ChatTemplateException)
        {
            // A template that parses and then fails on a conversation answers the request, which names no file.
        }
    }

    private static string Seed(string file) => RepositoryFiles.Read($"tests/fixtures/seeds/files/{file}");

    private static byte[] Encoded(byte[] text) => text;

    // The length field is right, so that the damage is the header's; a shorter or longer header leaves the data as it is.
    private static byte[] Safetensors(byte[] header)
    {
        var file = new byte[8 + header.Length + 48];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, 8);
        return file;
    }
}
