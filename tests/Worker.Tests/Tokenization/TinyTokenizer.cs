using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Builds tokenizer.json files with a vocabulary of single characters, bytes and a few words.</summary>
internal sealed class TinyTokenizer
{
    private readonly List<string> _vocabulary = [];
    private readonly JsonArray _addedTokens = [];
    private readonly JsonArray _merges = [];
    private readonly JsonObject _model = new() { ["type"] = "BPE" };
    private readonly JsonObject _root = [];

    /// <summary>A tokenizer whose tokens are the 256 bytes, in byte order, and what merges make of them.</summary>
    public static TinyTokenizer OfBytes()
    {
        TinyTokenizer tokenizer = new();
        for (var b = 0; b < 256; b++)
        {
            tokenizer._vocabulary.Add(ByteAlphabet.ToChar((byte)b).ToString());
        }
        return tokenizer
            .With("pre_tokenizer", """{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}""")
            .With("decoder", """{"type": "ByteLevel"}""");
    }

    public static TinyTokenizer OfCharacters(string characters)
    {
        TinyTokenizer tokenizer = new();
        tokenizer._vocabulary.AddRange(characters.EnumerateRunes().Select(rune => rune.ToString()));
        return tokenizer;
    }

    public int NextId => _vocabulary.Count + _addedTokens.Count;

    public TinyTokenizer With(string part, string? json)
    {
        _root[part] = json is null ? null : JsonNode.Parse(json);
        return this;
    }

    public TinyTokenizer WithModel(string option, JsonNode? value)
    {
        _model[option] = value;
        return this;
    }

    public TinyTokenizer WithToken(string token)
    {
        _vocabulary.Add(token);
        return this;
    }

    /// <summary>Adds a merge and the token it makes; alternates between the two spellings.</summary>
    public TinyTokenizer WithMerge(string left, string right)
    {
        _merges.Add(_merges.Count % 2 == 0 ? JsonValue.Create($"{left} {right}") : new JsonArray(left, right));
        if (!_vocabulary.Contains(left + right))
        {
            _vocabulary.Add(left + right);
        }
        return this;
    }

    public TinyTokenizer WithAdded(
        string content, bool special = true, bool singleWord = false, bool lstrip = false, bool rstrip = false, bool normalized = false)
    {
        // Added tokens take ids from 1000 on, out of the way of the vocabulary.
        _addedTokens.Add(new JsonObject
        {
            ["id"] = 1000 + _addedTokens.Count,
            ["content"] = content,
            ["special"] = special,
            ["single_word"] = singleWord,
            ["lstrip"] = lstrip,
            ["rstrip"] = rstrip,
            ["normalized"] = normalized,
        });
        return this;
    }

    public string ToJson()
    {
        JsonObject vocabulary = [];
        foreach (var token in _vocabulary)
        {
            vocabulary[token] = vocabulary.Count;
        }
        _model["vocab"] = vocabulary;
        _model["merges"] = _merges.DeepClone();
        _root["model"] = _model.DeepClone();
        _root["added_tokens"] = _addedTokens.DeepClone();
        return _root.ToJsonString();
    }

    public Tokenizer Build(string? config = null)
    {
        using TemporaryFolder folder = new();
        folder.With("tokenizer.json", ToJson());
        if (config is not null)
        {
            folder.With("tokenizer_config.json", config);
        }
        return Tokenizer.Load(folder.Path);
    }
}
