using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Worker.Tests.Tokenization;
using Cluster.Worker.Tokenization.Patterns;
using Cluster.Worker.Tokenization.SentencePiece;

namespace Cluster.Worker.Tests.Fuzz;

/// <summary>Small tokenizer.json files that together have every kind of part, and one of every other form.</summary>
internal static class Tokenizers
{
    public static string Json(string kind) => kind switch
    {
        "byte level BPE" => ByteLevel(),
        "SentencePiece BPE" => SentencePiece(),
        "Unigram" => Unigram(),
        "WordPiece" => TinyWordPiece.Json(lowers: true).ToJsonString(),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    /// <summary>A small tokenizer in another form, by the name of its file.</summary>
    public static byte[] File(string name) => name switch
    {
        "tekken.json" => Encoding.UTF8.GetBytes(TokenizerForms.Tekken(
            [.. TokenizerForms.Bytes, "He"u8.ToArray(), "ll"u8.ToArray()], ["<unk>", "<s>", "</s>", "[INST]"], 5, KnownRegexes.Llama3)),
        "qwen.tiktoken" => Encoding.UTF8.GetBytes(
            TokenizerForms.Tiktoken([.. TokenizerForms.Bytes, "He"u8.ToArray(), "ll"u8.ToArray()])),
        "tokenizer.model" => TokenizerForms.ModelProto(
            [
                new("<unk>", 0, PieceType.Unknown), new("<s>", 0, PieceType.Control), new("▁", -2, PieceType.Normal),
                new("<tool>", 0, PieceType.UserDefined), new("He", -3, PieceType.Normal), new("H", -5, PieceType.Normal),
                new("e", -6, PieceType.Unused), new("l", -7, PieceType.Normal), new("ll", -4, PieceType.Unused),
                new("Hell", -2, PieceType.Normal),
                .. Enumerable.Range(0, 256).Select(
                    value => new VocabularyPiece(string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>"), 0, PieceType.Byte)),
            ],
            byteFallback: true, removesWhitespace: true, charsMap: TokenizerForms.LigatureMap),
        "vocab.txt" => Encoding.UTF8.GetBytes(string.Join('\n', TinyWordPiece.Vocabulary())),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
    };

    private static string ByteLevel() => TinyTokenizer.OfBytes().WithMerge("H", "e").WithMerge("l", "l").WithMerge("He", "ll")
        .WithAdded("<s>").WithAdded("</s>")
        .WithAdded("<tool>", special: false, singleWord: true, lstrip: true, rstrip: true, normalized: true)
        .With("normalizer",
            """{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]}""")
        .With("pre_tokenizer", """
            {"type": "Sequence", "pretokenizers": [
             {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s+"}, "behavior": "Isolated", "invert": false},
             {"type": "Digits", "individual_digits": true}, {"type": "Punctuation", "behavior": "Contiguous"},
             {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}
            """)
        .With("post_processor", """
            {"type": "Sequence", "processors": [{"type": "ByteLevel", "trim_offsets": true}, {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
             "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1000], "tokens": ["<s>"]}}}]}
            """).ToJson();

    private static string SentencePiece() =>
        TinyTokenizer.OfCharacters("▁Helo,wrd12345x").WithMerge("H", "e").WithMerge("▁", "He").WithToken("<unk>").WithToken("<0xC3>")
        .WithAdded("<s>").WithModel("unk_token", "<unk>").WithModel("fuse_unk", true).WithModel("byte_fallback", true)
        .WithModel("dropout", 0)
        .WithModel("continuing_subword_prefix", "").WithModel("end_of_word_suffix", "")
        .With("normalizer", """
            {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
            """)
        .With("post_processor",
            """{"type": "RobertaProcessing", "sep": ["</s>", 1001], "cls": ["<s>", 1000], "trim_offsets": true, "add_prefix_space": true}""")
        .With("decoder", """
            {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
             {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
            """).ToJson();

    private static string Unigram()
    {
        var root = JsonNode.Parse("""
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": ""},
              {"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
             "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
             "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true},
             "post_processor": {"type": "BertProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]},
             "added_tokens": [{"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "</s>", "special": true}],
             "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": false, "vocab": [["<s>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -2.5], ["H", -4.0],
              ["ello", -5.5], ["▁Hell", -6.25], ["o", -3.0], ["l", -3.5], ["1", -4.5], ["23", -5.0], [",", -3.0]]}}
            """)!.AsObject();
        root["normalizer"]!["normalizers"]![0]!["precompiled_charsmap"] = CharsMap.LigatureFi;
        return root.ToJsonString();
    }
}
