namespace Cluster.Worker.Tests.Serving.Parsing;

/// <summary>Outputs in every format of reasoning.</summary>
internal static class ReasoningSamples
{
    private const string Now = "<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>";

    public static IReadOnlyList<OutputSample> All { get; } =
    [
        Of("deepseek_r1", "the prompt has begun it", "Hm.\n</think>\n\nYes.", "\n\nYes.", "Hm.\n", "<｜Assistant｜><think>\n"),
        Of("deepseek_r1", "both marks", "<think>\nHm.</think>Yes.", "Yes.", "\nHm."),
        Of("deepseek_r1", "no marks", "Hm. Hm <", "", "Hm. Hm <"),
        Of("deepseek_r1", "the prompt has ended it", "Yes.</think>", "Yes.</think>", "", "<｜Assistant｜></think>"),
        Of("deepseek_r1", "calls end it", "Hm.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", "Hm.", "<think>")
            with { Tools = "deepseek_v3", Calls = ["now({})"] },
        Of("qwen3", "both marks", "<think>\nHm < 3 </thin\n</think>\n\nYes.", "\n\nYes.", "\nHm < 3 </thin\n"),
        Of("qwen3", "no marks", "Yes. <think> is a tag.", "Yes. <think> is a tag."),
        Of("qwen3", "thinking is off", "Yes.", "Yes.", "", "<|im_start|>assistant\n<think>\n\n</think>\n\n"),
        Of("qwen3", "the prompt has begun it", "Hm.</think>Yes.", "Yes.", "Hm.", "<|im_start|>assistant\n<think>\n"),
        Of("qwen3", "cut", "<think>Hm</th", "", "Hm</th"),
        Of("qwen3", "a call", "<think>Call <tool_call>?</think>\n\n" + Now, "", "Call <tool_call>?") with { Calls = ["now({})"] },
        Of("glm45", "a call", "\n<think>Hm.</think>\nOk.\n<tool_call>now\n</tool_call>", "\nOk.", "Hm.") with { Tools = "glm45", Calls = ["now({})"] },
        Of("granite", "its words", "Here is my thought process: Hm. Here is my response: Yes.", " Yes.", " Hm. "),
        Of("granite", "other words", "Here's my thought process:\nHm.\nHere's my response:\nYes.", "\nYes.", "\nHm.\n"),
        Of("granite", "no words", "Here is my answer: Yes.", "Here is my answer: Yes."),
        Of(
            "openai_gptoss", "channels", "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.", "Yes.",
            "Hm."),
        Of("openai_gptoss", "cut", "<|channel|>analysis<|message|>Hm.<|en", "", "Hm.<|en"),
    ];

    private static OutputSample Of(string format, string title, string text, string content, string reasoning = "", string prompt = "") =>
        new(title, "hermes", text, content) { ReasoningFormat = format, Reasoning = reasoning, Prompt = prompt };
}
