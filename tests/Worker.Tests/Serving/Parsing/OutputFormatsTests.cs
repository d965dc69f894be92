using System.CommandLine;
using System.Text.Json.Nodes;
using Cluster.Worker.Commands;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Serving.Parsing;

public sealed class OutputFormatsTests
{
    /// <summary>Lines as published templates have them.</summary>
    [Theory]
    [InlineData("{{ '<tool_call>\\n{\"name\": \"' + tool_call.name + '\"' }}", "hermes", null)]
    [InlineData("Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name and its value}.", "llama3_json", null)]
    [InlineData("in the format of [func_name1(params_name1=params_value1), func_name2()]", "pythonic", null)]
    [InlineData("{{ '[TOOL_CALLS]' }}", "mistral", null)]
    [InlineData("<tool_call>\\n<function=example_function_name>\\n<parameter=example_parameter_1>", "qwen3_coder", null)]
    [InlineData("{{'<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>'}}{{ content.split('</think>')[-1] }}", "deepseek_v3", "auto")]
    [InlineData("<tool_call>{function-name}\\n<arg_key>{arg-key-1}</arg_key> <think></think>", "glm45", "auto")]
    [InlineData("<|tool_call|>", "granite", null)]
    [InlineData("Write 'Here is my thought process:' and <|tool_call|>", "granite", "granite")]
    [InlineData("<|tool_calls_section_begin|>", "kimi_k2", null)]
    [InlineData("<|start|>assistant<|channel|>final<|message|>", "openai", "openai_gptoss")]
    [InlineData("<tool_call> {% if enable_thinking is false %}<think>\\n\\n</think>{% endif %}", "hermes", "auto")]
    [InlineData("nothing of the kind", "hermes", null)]
    public void A_template_tells_the_formats(string template, string tools, string? reasoning)
    {
        var formats = OutputFormats.Choose("auto", "auto", new Words(template));

        Assert.Equal((tools, reasoning), (formats.Tools.Name, formats.Reasoning?.Name));
    }

    [Fact]
    public void Options_come_before_the_template()
    {
        var formats = Read("--tool-call-parser kimi_k2 --reasoning-parser deepseek_r1 --enable-auto-tool-choice", new Words("<|channel|>"));

        Assert.Equal(("kimi_k2", "deepseek_r1"), (formats.Tools.Name, formats.Reasoning?.Name));
    }

    [Theory]
    [InlineData("--tool-call-parser nonsense", "hermes")]
    [InlineData("--reasoning-parser nonsense", "qwen3")]
    public void A_format_that_is_not_there_is_refused_with_those_that_are(string arguments, string known)
    {
        var (_, parsed) = Parse(arguments);

        Assert.Contains(known, Assert.Single(parsed.Errors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_two_formats_share_a_name()
    {
        Assert.Distinct(ToolCallFormat.All.Select(format => format.Name));
        Assert.Distinct(ReasoningFormat.All.Select(format => format.Name));
    }

    [Theory]
    [InlineData("deepseek_r1", "<think>\n", "Thinking")]
    [InlineData("deepseek_r1", "assistant\n", "Thinking")]
    [InlineData("deepseek_r1", "</think>\n\n", "Answering")]
    [InlineData("qwen3", "<think>\n", "Thinking")]
    [InlineData("qwen3", "what does <think> mean?<|im_end|>\n<|im_start|>assistant\n", "Open")]
    [InlineData("qwen3", "<think>\n\n</think>\n\n", "Answering")]
    [InlineData("openai_gptoss", "<|start|>assistant", "Thinking")]
    public void The_prompts_end_tells_where_an_output_begins(string format, string prompt, string start) =>
        Assert.Equal(start, ReasoningFormat.Of(format, null)!.StartOf(prompt, isContinued: false).ToString());

    [Theory]
    [InlineData("a<think>b", "Thinking")]
    [InlineData("<think>a</think>b", "Answering")]
    [InlineData("a", "Answering")]
    public void An_answer_that_is_continued_tells_it_itself(string prompt, string start) =>
        Assert.Equal(start, ReasoningFormat.Of("qwen3", null)!.StartOf(prompt, isContinued: true).ToString());

    private static OutputFormats Read(string arguments, IChatTemplate template)
    {
        var (flags, parsed) = Parse(arguments);
        return flags.Read(parsed, template);
    }

    private static (OutputFlags Flags, ParseResult Arguments) Parse(string arguments)
    {
        var flags = new OutputFlags();
        var command = new Command("serve");
        flags.AddTo(command);
        return (flags, command.Parse(arguments));
    }

    private sealed class Words(string source) : IChatTemplate
    {
        public string Render(
            JsonArray messages, JsonArray? tools, bool addGenerationPrompt, JsonObject? variables = null, DateTimeOffset? now = null) =>
            source;

        public bool Mentions(string word) => source.Contains(word, StringComparison.Ordinal);
    }
}
