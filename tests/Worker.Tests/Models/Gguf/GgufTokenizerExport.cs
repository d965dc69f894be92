using System.Text.Json.Nodes;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>Writes a tokenizer.json of byte-level BPE, its special tokens and its chat template as the keys of a GGUF file.</summary>
internal static class GgufTokenizerExport
{
    public static void Write(GgufWriter writer, string folder, string pre = "smaug-bpe")
    {
        var json = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")))!;
        var config = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer_config.json")))!.AsObject();
        var model = json["model"]!;
        var vocabulary = model["vocab"]!.AsObject().ToDictionary(entry => entry.Value!.GetValue<int>(), entry => entry.Key);
        var added = json["added_tokens"]!.AsArray()
            .ToDictionary(token => token!["id"]!.GetValue<int>(), token => token!["content"]!.GetValue<string>());
        foreach (var (id, token) in added)
        {
            vocabulary[id] = token;
        }

        string[] tokens = [.. vocabulary.OrderBy(entry => entry.Key).Select(entry => entry.Value)];
        writer.Add("tokenizer.ggml.model", "gpt2");
        writer.Add("tokenizer.ggml.pre", pre);
        writer.Add("tokenizer.ggml.tokens", tokens);
        writer.Add("tokenizer.ggml.token_type", [.. tokens.Select((_, id) => added.ContainsKey(id) ? 3 : 1)]);
        writer.Add("tokenizer.ggml.merges", [
            .. model["merges"]!.AsArray().Select(merge => merge is JsonArray pair ? $"{pair[0]} {pair[1]}" : merge!.GetValue<string>())]);
        foreach (var (name, key) in new[] { ("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding") })
        {
            if (config[name]?.GetValue<string>() is { } token)
            {
                writer.Add($"tokenizer.ggml.{key}_token_id", (uint)Array.IndexOf(tokens, token));
            }
        }

        writer.Add("tokenizer.ggml.add_bos_token", config["add_bos_token"]?.GetValue<bool>() ?? false);
        if (config["chat_template"]?.GetValue<string>() is { } template)
        {
            writer.Add("tokenizer.chat_template", template);
        }
    }

    /// <summary>Tokens of no text, for models that have none.</summary>
    public static void WriteIds(GgufWriter writer, int count)
    {
        writer.Add("tokenizer.ggml.model", "gpt2").Add("tokenizer.ggml.pre", "gpt-2");
        writer.Add("tokenizer.ggml.tokens", [.. Enumerable.Range(0, count).Select(id => $"t{id}")]);
        writer.Add("tokenizer.ggml.token_type", [.. Enumerable.Repeat(1, count)]);
        writer.Add("tokenizer.ggml.merges", (string[])[]);
        writer.Add("tokenizer.ggml.bos_token_id", 0u).Add("tokenizer.ggml.eos_token_id", 1u);
    }
}
