using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Tests.Fuzz;
using Cluster.Worker.Tokenization;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>The files of a checkpoint.</summary>
internal static class CheckpointTargets
{
    private const string Haiku = "deploy/samples/models/haiku-1m";
    private const int DataBytes = 48;

    public static IFuzzTarget Safetensors(string name) => new FileTarget(
        name, "model.safetensors",
        [
            SafetensorsMutator.Join(SeedFiles.Seed("files/safetensors-header.json"), new byte[DataBytes]),
            SafetensorsMutator.Join("{}"u8.ToArray(), []),
        ],
        new SafetensorsMutator(), ReadTensors);

    public static IFuzzTarget Index(string name) => new FileTarget(
        name, Checkpoint.IndexFile, [SeedFiles.Seed($"files/{Checkpoint.IndexFile}")],
        new TextMutator("\"weight_map\"", "\"a.safetensors\""),
        path => Checkpoint.ShardsOf(path).ToList());

    public static IFuzzTarget Config(string name) => new FileTarget(
        name, "config.json",
        [
            SeedFiles.Seed("files/config-scaled.json"),
            .. SeedFiles.Under(Haiku, "config.json"),
            .. SeedFiles.Under("tests/fixtures/goldens", "config.json"),
        ],
        new AnyMutator(new TextMutator(), new ValueMutator()), LoadConfig);

    public static IFuzzTarget GenerationConfig(string name) => new FileTarget(
        name, "generation_config.json",
        [SeedFiles.Seed("files/generation_config.json"), .. SeedFiles.Under(Haiku, "generation_config.json")],
        new AnyMutator(new TextMutator(), new ValueMutator()), LoadConfig);

    public static IFuzzTarget TokenizerFile(string name) => new FileTarget(
        name, "tokenizer.json",
        [
            .. SeedFiles.Texts(
                Tokenizers.Json("byte level BPE"), Tokenizers.Json("SentencePiece BPE"), Tokenizers.Json("Unigram"),
                Tokenizers.Json("WordPiece")),
        ],
        new AnyMutator(new TextMutator(TokenizerWords), new ValueMutator()), Tokenize);

    /// <summary>A tokenizer in another form than tokenizer.json.</summary>
    /// <param name="file">Its name.</param>
    public static Func<string, IFuzzTarget> TokenizerForm(string file, IMutator mutator) => name => new FileTarget(
        name, file, [Tokenizers.File(file)], mutator, Tokenize, hasTokenizer: false);

    public static IFuzzTarget TokenizerConfig(string name) => new FileTarget(
        name, "tokenizer_config.json",
        [SeedFiles.Seed("files/tokenizer_config.json"), .. SeedFiles.Under(Haiku, "tokenizer_config.json")],
        new AnyMutator(new TextMutator("\"default\"", "\"{{ messages }}\""), new ValueMutator()), TokenizeAndRender);

    private static readonly string[] TokenizerWords =
    [
        "\"BPE\"", "\"Unigram\"", "\"WordPiece\"", "\"BertNormalizer\"", "\"BertPreTokenizer\"", "\"ByteLevel\"", "\"Metaspace\"",
        "\"Split\"", "\"Regex\"", "\"String\"", "\"NFC\"", "\"NFKD\"",
        "\"Precompiled\"", "\"Replace\"", "\"Strip\"", "\"Fuse\"", "\"ByteFallback\"", "\"TemplateProcessing\"", "\"Digits\"",
        "\"<0x41>\"",
        "\"\\u2581\"", "\"(a+)+$\"", "\"\\\\p{L}+|\\\\s\"", "\"Isolated\"", "\"MergedWithNext\"", "\"Contiguous\"", "\"Removed\"",
    ];

    /// <summary>Every byte of every tensor: what a header promises must be there.</summary>
    private static void ReadTensors(string path)
    {
        var file = SafetensorsFile.Open(path);
        var sum = 0;
        foreach (var tensor in file.Names.Select(file.Find).Where(tensor => tensor!.ByteLength > 0))
        {
            for (var row = 0; row < tensor!.Rows; row++)
            {
                foreach (var value in tensor.Row(row))
                {
                    sum += value;
                }
            }
        }

        GC.KeepAlive(sum);
    }

    private static void LoadConfig(string path) => ModelConfig.Load(Path.GetDirectoryName(path)!);

    private static void Tokenize(string path)
    {
        var tokenizer = Tokenizer.Load(Path.GetDirectoryName(path)!);
        try
        {
            TokenizerTargets.RoundTrip(tokenizer, "Hello,  Wörld ▁ <s> 😀 12345\n\n\u0301x", isExact: false);
        }
        catch (TokenizationException)
        {
            // The file is sound enough to load; the text is to blame.
        }
    }

    private static void TokenizeAndRender(string path)
    {
        Tokenize(path);
        if (ChatTemplate.Load(Path.GetDirectoryName(path)!) is { } template)
        {
            TemplateTargets.TryRender(template);
        }
    }
}
