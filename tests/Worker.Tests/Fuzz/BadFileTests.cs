using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Fuzz;

/// <summary>Thousands of damaged checkpoint files: each is read, or refused by an error of ours that names it, without much memory. The
/// seed is fixed; a failure prints the number of the mutation, which reproduces it.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class BadFileTests(ITestOutputHelper output)
{
    // Only an endless loop runs into it.
    private const int TimeoutMilliseconds = 180_000;

    private static readonly string Haiku = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models", "haiku-1m");

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_safetensors_files_are_refused() =>
    Fuzz(1500, "model.safetensors", SafetensorsHeader, Safetensors, path => SafetensorsFile.Open(path));

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_safetensors_indices_are_refused() => Fuzz(
        300, "model.safetensors.index.json",
        """{"metadata": {"total_size": 16}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "one.safetensors"}}""",
        Encoded, path => Checkpoint.Open(Path.GetDirectoryName(path)!));

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
        600, "config.json", ScaledConfig, Encoded, path => ModelConfig.Load(Path.GetDirectoryName(path)!));

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_generation_configurations_are_refused() => Fuzz(
        300, "generation_config.json", """{"bos_token_id": 1, "eos_token_id": [2, 3, 128009], "temperature": 0.6, "top_p": 0.9}""", Encoded,
        path => ModelConfig.Load(Path.GetDirectoryName(path)!));

    [Theory(Timeout = TimeoutMilliseconds)]
    [InlineData("byte level BPE")]
    [InlineData("SentencePiece BPE")]
    [InlineData("Unigram")]
    public Task Damaged_tokenizers_are_refused(string kind) => Fuzz(600, "tokenizer.json", Tokenizers.Json(kind), Encoded, Tokenize);

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_tokenizer_configurations_are_refused() => Fuzz(500, "tokenizer_config.json", TokenizerConfig, Encoded, path =>
    {
        Tokenize(path);
        Render(path);
    });

    [Fact(Timeout = TimeoutMilliseconds)]
    public Task Damaged_chat_templates_are_refused() => Fuzz(1200, "chat_template.jinja", Template, Encoded, Render);

    private async Task Fuzz(int cases, string name, string original, Func<byte[], byte[]> encode, Action<string> read)
    {
        using TemporaryFolder folder = new();
        folder.With("config.json", File.ReadAllText(Path.Combine(Haiku, "config.json")))
            .With("tokenizer.json", Tokenizers.Json("byte level BPE"));
        var path = Path.Combine(folder.Path, name);
        Outcome outcome = new();
        // A thread of its own: the runner's timeout needs the test's to be free.
        await Task.Run(() =>
        {
            File.WriteAllBytes(path, encode(Encoding.UTF8.GetBytes(original)));
            if (name != "model.safetensors.index.json")
            {
                read(path);
            }
            for (var seed = 0; seed < cases; seed++)
            {
                var damaged = encode(new Mutator(seed).Mutate(original));
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

    private static byte[] Encoded(byte[] text) => text;

    // The length field is right, so that the damage is the header's; a shorter or longer header leaves the data as it is.
    private static byte[] Safetensors(byte[] header)
    {
        var file = new byte[8 + header.Length + 48];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, 8);
        return file;
    }

    private const string SafetensorsHeader = """
        {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
         "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]}, "c": {"dtype": "F16", "shape": [2, 2, 2], "data_offsets": [32, 48]}}
        """;

    private const string ScaledConfig = """
        {"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 100,
         "intermediate_size": 128, "num_hidden_layers": 2, "max_position_embeddings": 1024, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
         "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 256},
         "hidden_act": "silu", "tie_word_embeddings": true, "torch_dtype": "bfloat16", "eos_token_id": [1, 2]}
        """;

    private const string TokenizerConfig = """
        {"added_tokens_decoder": {"1000": {"content": "<s>", "special": true, "lstrip": false}, "1003": {"content": "<tool>", "special": false}},
         "bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "unk_token": null,
         "chat_template": [{"name": "default", "template": "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m['content'] }}{% endfor %}"},
          {"name": "tool_use", "template": "{{ tools | tojson }}"}]}
        """;

    private const string Template = """
        {%- set ns = namespace(index=0, found=false) -%}{% macro part(m, d=2) %}<{{ m.role|upper }}>{{ m.content|trim|replace("a", "b") * d }}{% endmacro %}
        {{- bos_token }}{%- for m in messages[::-1] if m.role != "system" %}{% if loop.first and not ns.found %}{% set ns.index = loop.index0 + 1 %}
        {%- elif m['content'] is string and m.content.startswith('h') %}{{ part(m, d=3) }}{% else %}{{ raise_exception("no " ~ m.role) }}{% endif %}
        {%- endfor %}{{ messages | map(attribute='role') | list | join(', ') }}{{ "%s-%05.2f" % ("x", 3.14159) if ns.index > 0 else {'a': [1, 2, (3,)]} | tojson(indent=2) }}
        {%- for i in range(3) %}{{ i ** 2 // 3 % 5 - -1 }}{% if i == 1 %}{% break %}{% endif %}{% endfor %}{{ 'abc'[1:-1:2].split('b')[0] }}
        """;
}
