using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>How a model writes tool calls. Names are those of vLLM's <c>--tool-call-parser</c>.</summary>
/// <param name="Markers">Tokens that the parser has to see, special ones too.</param>
/// <param name="Words">What a template of such a model has, all of them; none where templates say nothing.</param>
/// <param name="Create">A parser for one output.</param>
internal sealed record ToolCallFormat(
    string Name, IReadOnlyList<string> Markers, IReadOnlyList<string> Words, Func<ToolSchemas, IOutputParser> Create)
{
    public const string Auto = "auto";

    /// <summary>Makes the id of a call that brings none, of random bytes (<see cref="CallIds"/>); null for OpenAI's style.</summary>
    public Func<byte[], string>? SpellId { get; init; }

    /// <summary>Markers that begin calls and that no thinking holds: it is over where one stands.</summary>
    public IReadOnlyList<string> Beginnings { get; init; } = [];

    /// <summary>What most templates know, those of Hermes and Qwen among them.</summary>
    public static ToolCallFormat Hermes { get; } = new(
        "hermes", ["<tool_call>", "</tool_call>"], ["<tool_call>"], _ => new JsonCallsParser(["<tool_call>"], "</tool_call>"));

    /// <summary>gpt-oss, whose channels hold reasoning and content as well.</summary>
    public static ToolCallFormat OpenAi { get; } = new(
        "openai",
        [
            HarmonyParser.Start, HarmonyParser.Channel, HarmonyParser.Constrain, HarmonyParser.Message, HarmonyParser.EndMessage,
            HarmonyParser.EndCall, HarmonyParser.Return,
        ],
        [HarmonyParser.Start, HarmonyParser.Channel], _ => new HarmonyParser(new PlainText()));

    /// <summary>In the order in which a template is asked for their words.</summary>
    public static IReadOnlyList<ToolCallFormat> All { get; } =
    [
        OpenAi,
        new("deepseek_v3", CallDelimiters.DeepSeek.All, [CallDelimiters.DeepSeek.SectionBegin], _ => new DeepSeekParser())
        {
            Beginnings = [CallDelimiters.DeepSeek.SectionBegin, CallDelimiters.DeepSeek.CallBegin],
        },
        new("kimi_k2", CallDelimiters.Kimi.All, [CallDelimiters.Kimi.SectionBegin], _ => new KimiParser())
        {
            Beginnings = [CallDelimiters.Kimi.SectionBegin, CallDelimiters.Kimi.CallBegin],
        },
        new(
            "mistral", [MistralParser.Marker, MistralParser.Arguments, MistralParser.CallId], [MistralParser.Marker],
            _ => new MistralParser())
        {
            SpellId = MistralParser.SpellId,
            Beginnings = [MistralParser.Marker],
        },
        new(
            "qwen3_coder", ["<tool_call>", "</tool_call>"], ["<function=", "<parameter="], schemas => new QwenCoderParser(schemas)),
        new(
            "glm45", ["<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"], ["<arg_key>"],
            schemas => new GlmParser(schemas)),
        new(
            "granite", ["<|tool_call|>", "<tool_call>", "</tool_call>"], ["<|tool_call|>"],
            _ => new JsonCallsParser(["<|tool_call|>", "<tool_call>"], "</tool_call>", BareCalls.ListAtStart)),
        new("pythonic", [PythonicParser.Begin, PythonicParser.EndMarker], ["[func_name1("], _ => new PythonicParser()),
        new(
            "llama3_json", ["<|python_tag|>", PythonicParser.Begin, PythonicParser.EndMarker],
            ["\"parameters\": dictionary of argument name"],
            _ => new JsonCallsParser(["<|python_tag|>", PythonicParser.Begin], PythonicParser.EndMarker, BareCalls.Anywhere)),
        Hermes,
    ];

    /// <summary>The format of a name; of <see cref="Auto"/>, the one that the template knows.</summary>
    public static ToolCallFormat Of(string name, IChatTemplate? template) => name == Auto
        ? All.FirstOrDefault(format => template is not null && format.Words.All(template.Mentions)) ?? Hermes
        : All.First(format => format.Name == name);
}
