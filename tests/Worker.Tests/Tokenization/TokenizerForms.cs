using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.SentencePiece;
using Google.Protobuf;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Writes tokenizers in the forms that are not tokenizer.json.</summary>
internal static class TokenizerForms
{
    /// <summary>The 256 bytes by themselves.</summary>
    public static IEnumerable<byte[]> Bytes => Enumerable.Range(0, 256).Select(value => new[] { (byte)value });

    /// <summary>A SentencePiece ModelProto.</summary>
    /// <param name="dummyPrefix">And other settings of its normalizer_spec and trainer_spec.</param>
    public static byte[] ModelProto(
        IEnumerable<VocabularyPiece> pieces, bool isUnigram = false, bool byteFallback = false, bool dummyPrefix = true,
        bool removesWhitespace = false, string bos = "<s>", string eos = "</s>", byte[]? charsMap = null) =>
        Message(proto =>
        {
            foreach (var piece in pieces)
            {
                Part(proto, 1, part =>
                {
                    part.WriteTag(1, WireFormat.WireType.LengthDelimited);
                    part.WriteString(piece.Text);
                    part.WriteTag(2, WireFormat.WireType.Fixed32);
                    part.WriteFloat(piece.Score);
                    Number(part, 3, (int)piece.Type);
                });
            }
            Part(proto, 2, part =>
            {
                Number(part, 3, isUnigram ? 1 : 2);
                Number(part, 35, byteFallback ? 1 : 0);
                part.WriteTag(46, WireFormat.WireType.LengthDelimited);
                part.WriteString(bos);
                part.WriteTag(47, WireFormat.WireType.LengthDelimited);
                part.WriteString(eos);
            });
            Part(proto, 3, part =>
            {
                part.WriteTag(2, WireFormat.WireType.LengthDelimited);
                part.WriteBytes(ByteString.CopyFrom(charsMap ?? []));
                Number(part, 3, dummyPrefix ? 1 : 0);
                Number(part, 4, removesWhitespace ? 1 : 0);
            });
        });

    public static string Tiktoken(IEnumerable<(byte[] Bytes, int Rank)> tokens) =>
        string.Concat(tokens.Select(token => $"{Convert.ToBase64String(token.Bytes)} {token.Rank}\n"));

    public static string Tiktoken(IEnumerable<byte[]> tokens) => Tiktoken(tokens.Select((bytes, rank) => (bytes, rank)));

    /// <param name="special">Null leaves them out of the file.</param>
    public static string Tekken(
        IReadOnlyList<byte[]> tokens, IReadOnlyList<string>? special, int numSpecial, string pattern, string version = "v7",
        int? vocabSize = null)
    {
        JsonObject root = new()
        {
            ["config"] = new JsonObject
            {
                ["pattern"] = pattern,
                ["num_vocab_tokens"] = tokens.Count,
                ["default_vocab_size"] = vocabSize ?? tokens.Count + numSpecial,
                ["default_num_special_tokens"] = numSpecial,
                ["version"] = version,
            },
            ["vocab"] = new JsonArray(
            [
                .. tokens.Select((bytes, rank) => (JsonNode?)new JsonObject
                {
                    ["rank"] = rank,
                    ["token_bytes"] = Convert.ToBase64String(bytes),
                    ["token_str"] = null,
                }),
            ]),
        };
        if (special is not null)
        {
            root["special_tokens"] = new JsonArray(
            [
                .. special.Select((token, rank) => (JsonNode?)new JsonObject
                {
                    ["rank"] = rank,
                    ["token_str"] = token,
                    ["is_control"] = true,
                }),
            ]);
        }
        return root.ToJsonString();
    }

    /// <summary>The tokens of a byte-level tokenizer.json by their ids, without the added ones.</summary>
    public static List<(byte[] Bytes, int Id)> BytesOf(JsonDocument tokenizer) =>
    [
        .. tokenizer.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject()
            .Select(entry => (entry.Name.Select(c => (byte)ByteAlphabet.ToByte(c)).ToArray(), entry.Value.GetInt32()))
            .OrderBy(entry => entry.Item2),
    ];

    /// <summary>A SentencePiece-style BPE tokenizer.json as a ModelProto: what joins earlier has the higher score.</summary>
    public static byte[] ModelProtoOf(JsonDocument tokenizer, bool dummyPrefix, string bos, string eos)
    {
        var model = tokenizer.RootElement.GetProperty("model");
        Dictionary<string, float> scores = new(StringComparer.Ordinal);
        foreach (var merge in model.GetProperty("merges").EnumerateArray())
        {
            var joined = merge.ValueKind == JsonValueKind.String
                ? merge.GetString()!.Replace(" ", "", StringComparison.Ordinal)
                : merge[0].GetString() + merge[1].GetString();
            scores.TryAdd(joined, -scores.Count);
        }
        var added = tokenizer.RootElement.GetProperty("added_tokens").EnumerateArray()
            .ToDictionary(token => token.GetProperty("id").GetInt32(), token => token.GetProperty("special").GetBoolean());
        var pieces = model.GetProperty("vocab").EnumerateObject().OrderBy(entry => entry.Value.GetInt32()).Select(
            entry => new VocabularyPiece(
                entry.Name, scores.GetValueOrDefault(entry.Name, -1e9f),
                entry.Name == "<unk>" ? PieceType.Unknown
                : entry.Name.Length == 6 && entry.Name.StartsWith("<0x", StringComparison.Ordinal) ? PieceType.Byte
                : !added.TryGetValue(entry.Value.GetInt32(), out var isSpecial) ? PieceType.Normal
                : isSpecial ? PieceType.Control : PieceType.UserDefined));
        return ModelProto(pieces, byteFallback: true, dummyPrefix: dummyPrefix, bos: bos, eos: eos);
    }

    /// <summary>A map that replaces the ligature ﬁ.</summary>
    public static byte[] LigatureMap => Convert.FromBase64String(CharsMap.LigatureFi);

    private static byte[] Message(Action<CodedOutputStream> write)
    {
        using MemoryStream stream = new();
        using (CodedOutputStream output = new(stream, leaveOpen: true))
        {
            write(output);
        }
        return stream.ToArray();
    }

    private static void Part(CodedOutputStream output, int field, Action<CodedOutputStream> write)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(Message(write)));
    }

    private static void Number(CodedOutputStream output, int field, int value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteInt32(value);
    }
}
