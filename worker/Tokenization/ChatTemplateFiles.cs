using System.Text.Json;

namespace Cluster.Worker.Tokenization;

/// <summary>What a checkpoint folder says about its chat template. Read for <see cref="ChatTemplate.Load"/>.</summary>
/// <param name="Path">The file the template stands in, for messages.</param>
internal sealed record ChatTemplateFiles(string Path, string Source, string? ToolSource, IReadOnlyDictionary<string, string> SpecialTokens)
{
    private const string TemplateFileName = "chat_template.jinja";
    private const string SpecialTokensFileName = "special_tokens_map.json";
    private const long MaxTemplateBytes = 4L << 20;

    private static readonly string[] TokenNames =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>Null when the folder has no template.</summary>
    public static ChatTemplateFiles? Read(string folder)
    {
        Dictionary<string, string> tokens = new(StringComparer.Ordinal);
        using var map = OpenOptional(System.IO.Path.Combine(folder, SpecialTokensFileName));
        ReadTokens(map, System.IO.Path.Combine(folder, SpecialTokensFileName), tokens);
        var configPath = System.IO.Path.Combine(folder, TokenizerReader.ConfigFileName);
        using var config = OpenOptional(configPath);
        ReadTokens(config, configPath, tokens);

        var templatePath = System.IO.Path.Combine(folder, TemplateFileName);
        if (File.Exists(templatePath))
        {
            var bytes = new FileInfo(templatePath).Length;
            return bytes <= MaxTemplateBytes
                ? new ChatTemplateFiles(templatePath, File.ReadAllText(templatePath), null, tokens)
                : throw new TokenizerFormatException($"{templatePath}: {bytes} bytes; at most {MaxTemplateBytes} are read");
        }
        if (config is null || new JsonPart(configPath, "", config.RootElement).Optional("chat_template") is not { } template)
        {
            return null;
        }
        if (template.Value.ValueKind == JsonValueKind.String)
        {
            return new ChatTemplateFiles(configPath, template.Text(), null, tokens);
        }
        Dictionary<string, string> named = new(StringComparer.Ordinal);
        foreach (var item in template.Items())
        {
            named[item.RequiredString("name")] = item.RequiredString("template");
        }
        return named.TryGetValue("default", out var source) || named.Count > 0
            ? new ChatTemplateFiles(configPath, source ?? named.Values.First(), named.GetValueOrDefault("tool_use"), tokens)
            : null;
    }

    private static JsonDocument? OpenOptional(string path) => File.Exists(path) ? JsonFile.Open(path) : null;

    // A token is written as a string or as an object with its flags.
    private static void ReadTokens(JsonDocument? document, string path, Dictionary<string, string> tokens)
    {
        if (document is null)
        {
            return;
        }
        JsonPart root = new(path, "", document.RootElement);
        foreach (var name in TokenNames)
        {
            if (root.Optional(name) is { } token)
            {
                tokens[name] = token.Value.ValueKind == JsonValueKind.String ? token.Text() : token.RequiredString("content");
            }
        }
    }
}
