using System.Text;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Writes what tokenizer.json and tokenizer_config.json would say from the keys <c>tokenizer.*</c> of a GGUF file, so that one
/// reader knows tokenizers. Keys: ggml's <c>docs/gguf.md</c>. Used by <see cref="GgufModel"/>.</summary>
/// <remarks>
/// <code>
/// tokenizer.ggml.model   gpt2     BPE of bytes; tokenizer.ggml.pre names how text is split
///                        llama    BPE of SentencePiece, whose merges follow from the tokens' scores
/// token_type             1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
/// </code>
/// </remarks>
internal sealed class GgufTokenizer(string file, GgufMetadata metadata)
{
    public const string FileName = "tokenizer.json";
    public const string ConfigFileName = "tokenizer_config.json";
    public const string ModelKey = "tokenizer.ggml.model";

    private const string TokensKey = "tokenizer.ggml.tokens";
    private const string TypesKey = "tokenizer.ggml.token_type";
    private const string MergesKey = "tokenizer.ggml.merges";
    private const string ScoresKey = "tokenizer.ggml.scores";
    private const int Unknown = 2;
    private const int Control = 3;
    private const int UserDefined = 4;

    /// <summary>SentencePiece's mark of a space.</summary>
    private const string Space = "▁";

    private static readonly string[] Edges = ["bos", "eos", "unk", "pad"];

    /// <summary>Ids of the control tokens among some.</summary>
    public static IEnumerable<long> ControlTokens(GgufMetadata metadata, IReadOnlyCollection<string> among)
    {
        if (metadata.Texts(TokensKey) is not { } tokens || metadata.Integers(TypesKey) is not { } types)
        {
            return [];
        }

        return Enumerable.Range(0, Math.Min(tokens.Length, types.Length)).Where(id => types[id] == Control && among.Contains(tokens[id]))
            .Select(id => (long)id).ToArray();
    }

    /// <summary>tokenizer.json.</summary>
    /// <exception cref="CheckpointFormatException">A key is missing or malformed, or says what is not supported.</exception>
    public byte[] WriteTokenizer()
    {
        var tokens = metadata.Texts(TokensKey) ?? throw metadata.Wrong(TokensKey, "an array of strings");
        var types = metadata.Integers(TypesKey) ?? Enumerable.Repeat(1L, tokens.Length).ToArray();
        if (types.Length != tokens.Length)
        {
            throw metadata.Wrong(TypesKey, $"one for each of {tokens.Length} tokens");
        }

        var root = metadata.Text(ModelKey) switch
        {
            "gpt2" => ByteLevel(tokens),
            "llama" => SentencePiece(tokens, types),
            var name => throw metadata.Wrong(ModelKey, $"gpt2 or llama, not '{name}'"),
        };
        root["added_tokens"] = new JsonArray([.. AddedTokens(tokens, types)]);
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    /// <summary>tokenizer_config.json.</summary>
    /// <exception cref="CheckpointFormatException">A key is malformed, or names a token that there is not.</exception>
    public byte[] WriteConfig()
    {
        var tokens = metadata.Texts(TokensKey) ?? throw metadata.Wrong(TokensKey, "an array of strings");
        var config = new JsonObject { ["clean_up_tokenization_spaces"] = false };
        foreach (var edge in Edges)
        {
            // The key of the unknown token was once another.
            var id = metadata.Integer($"tokenizer.ggml.{edge}_token_id")
                ?? (edge switch
                {
                    "unk" => metadata.Integer("tokenizer.ggml.unknown_token_id"),
                    "pad" => metadata.Integer("tokenizer.ggml.padding_token_id"),
                    _ => null,
                });
            config[$"{edge}_token"] = id is null ? null
                : id < tokens.Length && id >= 0 ? tokens[(int)id.Value]
                : throw metadata.Wrong($"tokenizer.ggml.{edge}_token_id", $"a token below {tokens.Length}, not {id}");
        }

        // What llama.cpp assumes where the file does not say.
        var isSentencePiece = metadata.Text(ModelKey) == "llama";
        var addsBos = isSentencePiece || GgufSplits.AddsBos(metadata.Text(GgufSplits.Key));
        config["add_bos_token"] = metadata.Boolean("tokenizer.ggml.add_bos_token") ?? addsBos;
        config["add_eos_token"] = metadata.Boolean("tokenizer.ggml.add_eos_token") ?? false;
        if (metadata.Text("tokenizer.chat_template") is { } template)
        {
            config["chat_template"] = template;
        }

        return Encoding.UTF8.GetBytes(config.ToJsonString());
    }

    private JsonObject ByteLevel(string[] tokens)
    {
        var merges = metadata.Texts(MergesKey) ?? throw metadata.Wrong(MergesKey, "an array of strings");
        var split = GgufSplits.Of(metadata);
        var steps = split.Patterns.Select(pattern => (JsonNode)new JsonObject
        {
            ["type"] = "Split",
            ["pattern"] = new JsonObject { ["Regex"] = pattern },
            ["behavior"] = "Isolated",
            ["invert"] = false,
        });
        return new JsonObject
        {
            ["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray([.. steps, ByteLevelPart()]),
            },
            ["decoder"] = ByteLevelPart(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["ignore_merges"] = split.IgnoresMerges,
                ["vocab"] = Vocabulary(tokens),
                ["merges"] = new JsonArray([.. merges.Select(merge => (JsonNode)merge)]),
            },
        };
    }

    private JsonObject SentencePiece(string[] tokens, long[] types)
    {
        var scores = metadata.Numbers(ScoresKey) ?? throw metadata.Wrong(ScoresKey, "an array of numbers");
        if (scores.Length != tokens.Length)
        {
            throw metadata.Wrong(ScoresKey, $"one for each of {tokens.Length} tokens");
        }

        var normalizers = new JsonArray(new JsonObject
        {
            ["type"] = "Replace",
            ["pattern"] = new JsonObject { ["String"] = " " },
            ["content"] = Space,
        });
        var decoders = new JsonArray(
            new JsonObject { ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = Space }, ["content"] = " " },
            new JsonObject { ["type"] = "ByteFallback" },
            new JsonObject { ["type"] = "Fuse" });
        if (metadata.Boolean("tokenizer.ggml.add_space_prefix") ?? true)
        {
            normalizers.Insert(0, new JsonObject { ["type"] = "Prepend", ["prepend"] = Space });
            decoders.Add((JsonNode)new JsonObject { ["type"] = "Strip", ["content"] = " ", ["start"] = 1, ["stop"] = 0 });
        }

        var unknown = Array.IndexOf(types, Unknown);
        return new JsonObject
        {
            ["normalizer"] = new JsonObject { ["type"] = "Sequence", ["normalizers"] = normalizers },
            ["decoder"] = new JsonObject { ["type"] = "Sequence", ["decoders"] = decoders },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["byte_fallback"] = true,
                ["fuse_unk"] = true,
                ["unk_token"] = unknown < 0 ? null : tokens[unknown],
                ["vocab"] = Vocabulary(tokens),
                ["merges"] = new JsonArray([
                    .. ScoredMerges.Of(tokens, scores, id => types[id] is 1 or UserDefined)
                        .Select(merge => (JsonNode)new JsonArray(merge.Left, merge.Right))]),
            },
        };
    }

    private static JsonObject ByteLevelPart() => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = false,
        ["trim_offsets"] = true,
        ["use_regex"] = false,
    };

    private JsonObject Vocabulary(string[] tokens)
    {
        var vocabulary = new JsonObject();
        for (var id = 0; id < tokens.Length; id++)
        {
            if (!vocabulary.TryAdd(tokens[id], id))
            {
                throw new CheckpointFormatException(file, $"has the token '{tokens[id]}' twice, as {vocabulary[tokens[id]]} and {id}");
            }
        }

        return vocabulary;
    }

    private static IEnumerable<JsonNode> AddedTokens(string[] tokens, long[] types) =>
        from id in Enumerable.Range(0, tokens.Length)
        where types[id] is Control or UserDefined && tokens[id].Length > 0
        select (JsonNode)new JsonObject
        {
            ["id"] = id,
            ["content"] = tokens[id],
            ["special"] = types[id] == Control,
            ["normalized"] = false,
            ["single_word"] = false,
            ["lstrip"] = false,
            ["rstrip"] = false,
        };
}
