using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization.Jinja;

namespace Cluster.Worker.Tokenization;

/// <summary>The chat template of a checkpoint, a <see cref="Template"/> with the variables transformers gives it: <c>messages</c>,
/// <c>tools</c>, <c>documents</c> (always none), <c>add_generation_prompt</c>, the special tokens by name (<c>bos_token</c> …) and what a
/// request adds. Safe for concurrent use.</summary>
internal sealed class ChatTemplate : IChatTemplate
{
    private const string Developer = "developer";

    private readonly Template _template;
    private readonly Template? _toolTemplate;
    private readonly IReadOnlyDictionary<string, string> _specialTokens;
    private readonly TimeProvider _clock;
    private readonly RenderLimits _limits;

    /// <param name="source">Jinja.</param>
    /// <param name="toolSource">The template for requests with tools where the checkpoint has a separate one.</param>
    /// <param name="specialTokens">Variable name → token, such as <c>bos_token</c>.</param>
    /// <param name="clock">For <c>strftime_now</c>; the system's when null.</param>
    /// <exception cref="ChatTemplateException">A source is no valid template.</exception>
    public ChatTemplate(
        string source, string? toolSource, IReadOnlyDictionary<string, string> specialTokens, TimeProvider? clock = null,
        RenderLimits? limits = null)
    {
        _template = new Template(source);
        _toolTemplate = toolSource is null ? null : new Template(toolSource);
        _specialTokens = specialTokens;
        _clock = clock ?? TimeProvider.System;
        _limits = limits ?? RenderLimits.Default;
    }

    /// <summary>The template of a checkpoint folder: <c>chat_template.jinja</c>, else <c>chat_template</c> of tokenizer_config.json, which
    /// is one template or a list of named ones (<c>default</c>, <c>tool_use</c>). Null when it has none.</summary>
    /// <exception cref="TokenizerFormatException">tokenizer_config.json is malformed.</exception>
    /// <exception cref="ChatTemplateException">The template is.</exception>
    public static ChatTemplate? Load(string folder, TimeProvider? clock = null)
    {
        if (ChatTemplateFiles.Read(folder) is not { } files)
        {
            return null;
        }
        try
        {
            return new ChatTemplate(files.Source, files.ToolSource, files.SpecialTokens, clock);
        }
        catch (ChatTemplateException e)
        {
            throw new ChatTemplateException($"{files.Path}: {e.Message}", e);
        }
    }

    /// <exception cref="ChatTemplateException">The template failed, or has no place for one of the messages.</exception>
    public string Render(
        JsonArray messages, JsonArray? tools, bool addGenerationPrompt, JsonObject? variables = null, DateTimeOffset? now = null)
    {
        var clock = now is { } given ? new StoppedClock(given, _clock) : _clock;
        var template = tools is null ? _template : _toolTemplate ?? _template;
        var written = template.Mentions(Developer) ? messages : WithSystemFor(messages);
        Dictionary<string, object?> all = new(StringComparer.Ordinal)
        {
            ["messages"] = Values.FromJson(written),
            ["tools"] = Values.FromJson(tools),
            ["documents"] = null,
            ["add_generation_prompt"] = addGenerationPrompt,
        };
        foreach ((var name, var token) in _specialTokens)
        {
            all[name] = token;
        }
        foreach ((var name, var value) in variables ?? [])
        {
            if (!all.TryAdd(name, Values.FromJson(value)))
            {
                throw new ChatTemplateException($"the template variable '{name}' is set by the server and cannot be overridden");
            }
        }

        var text = template.Render(all, clock, _limits);
        var leftOut = LeftOutMessage.Find(
            written,
            marked => template.Render(
                new Dictionary<string, object?>(all, StringComparer.Ordinal) { ["messages"] = Values.FromJson(marked) }, clock, _limits));
        return leftOut is not { } index
            ? text
            : throw new ChatTemplateException(
                $"the model's chat template has no place for 'messages[{index}]', whose role is '{messages[index]!["role"]}': "
                + "it would be left out");
    }

    public bool Mentions(string word) => _template.Mentions(word) || _toolTemplate?.Mentions(word) == true;

    /// <summary>OpenAI's newer name of the system's role; most models know the older one alone.</summary>
    private static JsonArray WithSystemFor(JsonArray messages)
    {
        if (!messages.Any(IsDeveloper))
        {
            return messages;
        }
        var renamed = (JsonArray)messages.DeepClone();
        foreach (var message in renamed.Where(IsDeveloper))
        {
            message!["role"] = "system";
        }
        return renamed;
    }

    private static bool IsDeveloper(JsonNode? message) =>
        message?["role"] is JsonValue role && role.TryGetValue<string>(out var name) && name == Developer;
}
