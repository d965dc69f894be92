using System.Text.Json;

namespace Cluster.Worker.Tokenization;

/// <summary>What a checkpoint folder says about its chat template. Read for <see cref="ChatTemplate.Load"/>.</summary>
/// <param name="Path">The file the template stands in, for messages.</param>
internal sealed record ChatTemplateFiles(string Path, string Source, string? ToolSource, IReadOnlyDictionary<string, string> SpecialTokens)
{
    private const string TemplateFileName = "chat_template.jinja";
    private const string TemplateJsonFileName = "chat_template.json";
    private const string Member = "chat_template";

    /// <summary>Null when the folder has no template.</summary>
    public static ChatTemplateFiles? Read(string folder)
    {
        var tokens = SpecialTokenNames.Read(folder);
        var templatePath = System.IO.Path.Combine(folder, TemplateFileName);
        return RegularFile.IsThere(templatePath)
            ? new ChatTemplateFiles(templatePath, RegularFile.ReadText(templatePath, FileKind.ChatTemplate), null, tokens)
            : ReadMember(System.IO.Path.Combine(folder, TemplateJsonFileName), tokens)
                ?? ReadMember(System.IO.Path.Combine(folder, TokenizerReader.ConfigFileName), tokens);
    }

    // One template, or a list of named ones.
    private static ChatTemplateFiles? ReadMember(string path, IReadOnlyDictionary<string, string> tokens)
    {
        if (!RegularFile.IsThere(path))
        {
            return null;
        }
        using var document = JsonFile.Open(path);
        if (new JsonPart(path, "", document.RootElement).Optional(Member) is not { } template)
        {
            return null;
        }
        if (template.Value.ValueKind == JsonValueKind.String)
        {
            return new ChatTemplateFiles(path, template.Text(), null, tokens);
        }
        Dictionary<string, string> named = new(StringComparer.Ordinal);
        foreach (var item in template.Items())
        {
            named[item.RequiredString("name")] = item.RequiredString("template");
        }
        return named.TryGetValue("default", out var source) || named.Count > 0
            ? new ChatTemplateFiles(path, source ?? named.Values.First(), named.GetValueOrDefault("tool_use"), tokens)
            : null;
    }
}
