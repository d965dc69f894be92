using System.Text.Json.Nodes;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>A small WordPiece vocabulary, as a list and as tokenizer.json.</summary>
internal static class TinyWordPiece
{
    private static readonly string[] Special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

    private static readonly string[] Words =
    [
        "the", "quick", "un", "##aff", "##able", "run", "##ning", "don", "'", "t", "do", "not", "n", "s", "re", ".", ",", "!", "?", "_",
        "/", "€", "中", "日", "##本", "a", "##a", "b", "##b", "e", "##e", "ß", "##ß", "1", "##1", "½", "##½", "##s", "😀", "##😀", "ا", "##ا",
        "x", "##x", "ll", "##ll", "▁", "##▁", "i", "##s",
    ];

    public static IEnumerable<string> Vocabulary() => Special.Concat(Words.Distinct());

    public static JsonObject Json(bool lowers)
    {
        JsonObject vocabulary = [];
        foreach (var token in Vocabulary())
        {
            vocabulary[token] = vocabulary.Count;
        }
        var root = JsonNode.Parse("""
            {"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null},
             "pre_tokenizer": {"type": "BertPreTokenizer"},
             "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
               {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 0}}], "pair": [], "special_tokens": {
               "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
               "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
             "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
             "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}}
            """)!.AsObject();
        root["normalizer"]!["lowercase"] = lowers;
        root["model"]!["vocab"] = vocabulary;
        root["added_tokens"] = new JsonArray(
        [
            .. Special.Select((token, id) => (JsonNode?)new JsonObject
            {
                ["id"] = id, ["content"] = token, ["special"] = true, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false,
                ["normalized"] = false,
            }),
        ]);
        return root;
    }
}
