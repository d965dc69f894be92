namespace Cluster.Worker.Tests.Serving.Parsing;

/// <summary>Outputs in every format of calls.</summary>
internal static class ToolCallSamples
{
    private const string Zurich = """weather({"city": "Zürich", "days": 2})""";
    private const string Nested = """{"text": "}{ ]\" \\ <b> 🎉", "deep": {"a": [{"b": {}}, []], "n": -1.5e3}, "x": null}""";

    public static IReadOnlyList<OutputSample> All { get; } =
    [
        new("text alone", "hermes", "plain text\n", "plain text\n"),
        new("beginnings of marks", "hermes", "a < b and <tool", "a < b and <tool"),
        new("one call", "hermes", "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Zürich\", \"days\": 2}}\n</tool_call>", "", Zurich),
        new("parameters for arguments", "hermes", """<tool_call>{"name": "weather", "parameters": {"city": "Zürich", "days": 2}}</tool_call>""", "", Zurich),
        new(
            "text before, between and after", "hermes",
            "Let me see.\n\n<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>\nAnd\n<tool_call>{\"name\": \"weather\", \"arguments\": {\"city\": \"Zürich\", \"days\": 2}}</tool_call>\nDone.\n",
            "Let me see.\nAnd\nDone.", "now({})", Zurich),
        new("arguments first", "hermes", """<tool_call>{"arguments": {"city": "Zürich", "days": 2}, "name": "weather", "id": 7}</tool_call>""", "", Zurich),
        new("nested values", "hermes", $$"""<tool_call>{"name": "f", "arguments": {{Nested}}}</tool_call>""", "", $"f({Nested})"),
        new("the mark within a text", "hermes", """<tool_call>{"name": "f", "arguments": {"a": "</tool_call>"}}</tool_call>""", "", """f({"a": "</tool_call>"})"""),
        new("no arguments", "hermes", "<tool_call>\n{\"name\": \"now\"}\n</tool_call>\n", "", "now({})"),
        new("null arguments", "hermes", """<tool_call>{"name": "now", "arguments": null}</tool_call>""", "", "now({})"),
        new("arguments as text", "hermes", """<tool_call>{"name": "f", "arguments": "{\"a\": 1}"}</tool_call>""", "", """f({"a": 1})"""),
        new("no end", "hermes", """<tool_call>{"name": "now", "arguments": {}}""", "", "now({})"),
        new("cut in the arguments", "hermes", """<tool_call>{"name": "f", "arguments": {"a": "xy""", "", """f({"a": "xy)"""),
        new("cut before them", "hermes", """<tool_call>{"name": "now", "argum""", """<tool_call>{"name": "now", "argum"""),
        new("nonsense", "hermes", "so <tool_call>nonsense</tool_call> so", "so <tool_call>nonsense</tool_call> so"),
        new("no text for a name", "hermes", """<tool_call>{"name": 1}</tool_call>""", """<tool_call>{"name": 1}</tool_call>"""),
        new("half a character for a name", "hermes", """<tool_call>{"name": "\ud800"}</tool_call>""", """<tool_call>{"name": "\ud800"}</tool_call>"""),
        new("a list for arguments", "hermes", """<tool_call>{"name": "f", "arguments": [1]}</tool_call>""", """<tool_call>{"name": "f", "arguments": [1]}</tool_call>"""),
        new("arguments in Python's quotes", "hermes", """<tool_call>{"name": "f", "arguments": {'a': 1}}</tool_call> ok""", " ok", "f({'a': 1})"),

        new("one call", "llama3_json", """{"name": "weather", "parameters": {"city": "Zürich", "days": 2}}""", "", Zurich),
        new("the tag", "llama3_json", """<|python_tag|>{"name": "weather", "parameters": {"city": "Zürich", "days": 2}}""", "", Zurich),
        new("several", "llama3_json", """{"name": "now", "parameters": {}}; {"name": "weather", "arguments": {"city": "Zürich", "days": 2}}""", "", "now({})", Zurich),
        new("within text", "llama3_json", """Here: {"type": "function", "name": "weather", "parameters": {"city": "Zürich", "days": 2}} Is it?""", "Here: Is it?", Zurich),
        new("nested values", "llama3_json", $$"""{"name": "f", "parameters": {{Nested}}}""", "", $"f({Nested})"),
        new("JSON that is no call", "llama3_json", """The JSON {"a": {"name": "x"}} and {"name": "y"}.""", """The JSON {"a": {"name": "x"}} and {"name": "y"}."""),
        new("text alone", "llama3_json", "f(x) = {x}", "f(x) = {x}"),

        new("one call", "pythonic", """[weather(city="Zürich", days=2)]""", "", Zurich),
        new("several", "pythonic", """[now(), weather(city='Zürich', days=2)]""", "", "now({})", Zurich),
        new(
            "Python's values", "pythonic",
            """[f(a=None, b=True, c=-1.5, d=[1, (2, 3)], e={'k': "v\n]"}, g='it\'s "x"', h=.5, i='')]""", "",
            """f({"a": null, "b": true, "c": -1.5, "d": [1, [2, 3]], "e": {"k": "v\n]"}, "g": "it's \"x\"", "h": 0.5, "i": ""})"""),
        new("Llama 4's tokens", "pythonic", """<|python_start|>[a.b(x=1)]<|python_end|>""", "", """a.b({"x": 1})"""),
        new("no call", "pythonic", "[1, 2] is a list", "[1, 2] is a list"),
        new("no names", "pythonic", "[f(1)]", "[f(1)]"),
        new("a link", "pythonic", "[text](http://a.b)", "[text](http://a.b)"),
        new("cut", "pythonic", "[now(), f(a=1", " f(a=1", "now({})"),

        new("the old list", "mistral", """[TOOL_CALLS] [{"name": "now", "arguments": {}}, {"name": "weather", "arguments": {"city": "Zürich", "days": 2}}]""", "", "now({})", Zurich),
        new(
            "text before", "mistral", """I look.[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Zürich", "days": 2}}]""", "I look.",
            Zurich),
        new("a name and braces", "mistral", """[TOOL_CALLS]weather{"city": "Zürich", "days": 2}""", "", Zurich),
        new("marked arguments", "mistral", """[TOOL_CALLS]now[ARGS]{}[TOOL_CALLS]weather[ARGS]{"city": "Zürich", "days": 2}""", "", "now({})", Zurich),
        new("an id", "mistral", """[TOOL_CALLS]weather[CALL_ID]abc123XYZ[ARGS]{"city": "Zürich", "days": 2}""", "", Zurich) { Ids = ["abc123XYZ"] },
        new("nested values", "mistral", $$"""[TOOL_CALLS]f[ARGS]{{Nested}}""", "", $"f({Nested})"),
        new("no call", "mistral", "a[TOOL_CALLS]nothing here", "anothing here"),

        new(
            "types by the schema", "qwen3_coder",
            "I check.\n<tool_call>\n<function=weather>\n<parameter=city>\n123\n</parameter>\n<parameter=days>\n2\n</parameter>\n<parameter=limit>\n1.5\n</parameter>\n<parameter=metric>\nTrue\n</parameter>\n<parameter=hours>\n[1, 2]\n</parameter>\n<parameter=place>\n{'lat': 47.4}\n</parameter>\n<parameter=unit>\nC\n</parameter>\n<parameter=maybe>\nnull\n</parameter>\n<parameter=either>\n5\n</parameter>\n</function>\n</tool_call>",
            "I check.",
            """weather({"city": "123", "days": 2, "limit": 1.5, "metric": true, "hours": [1, 2], "place": {"lat": 47.4}, "unit": "C", "maybe": null, "either": 5})"""),
        new(
            "code", "qwen3_coder",
            "<tool_call>\n<function=write_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=text>\nif a < b:\n    print(\"ü\\n\")\n\n</parameter>\n</function>\n</tool_call>",
            "", """write_file({"path": "a.py", "text": "if a < b:\n    print(\"ü\\n\")\n"})"""),
        new(
            "several", "qwen3_coder",
            "<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=weather>\n<parameter=city>\nZürich\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",
            "", "now({})", Zurich),
        new("no outer tags", "qwen3_coder", "<function=weather><parameter=city>Zürich</parameter><parameter=days>2</parameter></function>", "", Zurich),
        new("no end of a parameter", "qwen3_coder", "<tool_call><function=weather><parameter=city>Zürich<parameter=days>2</function></tool_call>", "", Zurich),
        new("cut", "qwen3_coder", "<tool_call>\n<function=weather>\n<parameter=city>\nZür", "", """weather({"city": "Zür"})"""),
        new("not of the type", "qwen3_coder", "<tool_call><function=weather><parameter=days>many</parameter></function></tool_call>", "", """weather({"days": "many"})"""),
        new("an unknown function", "qwen3_coder", "<tool_call><function=f><parameter=a>1</parameter></function></tool_call>", "", """f({"a": "1"})"""),
        new("no call", "qwen3_coder", "<tool_call>\nnothing</tool_call> <function=\n>", "<tool_call>\nnothing</tool_call> <function=\n>"),

        new(
            "types by the schema", "glm45",
            "Sure.\n<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>123</arg_value>\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n<arg_key>hours</arg_key>\n<arg_value>[1, 2]</arg_value>\n</tool_call>",
            "Sure.", """weather({"city": "123", "days": 2, "hours": [1, 2]})"""),
        new(
            "several", "glm45",
            "<tool_call>now\n</tool_call>\n<tool_call>weather<arg_key>city</arg_key><arg_value>Zürich</arg_value><arg_key>days</arg_key><arg_value>2</arg_value></tool_call>",
            "", "now({})", Zurich),
        new("an unknown function", "glm45", "<tool_call>f<arg_key>a</arg_key><arg_value>[1]</arg_value><arg_key>b</arg_key><arg_value>x y</arg_value></tool_call>", "", """f({"a": [1], "b": "x y"})"""),
        new("cut", "glm45", "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Zür", "", """weather({"city": "Zür"})"""),
        new("no call", "glm45", "<tool_call>not a name at all</tool_call>", "<tool_call>not a name at all</tool_call>"),

        new(
            "V3", "deepseek_v3",
            "I look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"city\": \"Zürich\", \"days\": 2}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "I look.", Zurich, "now({})"),
        new("V3.1", "deepseek_v3", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"city\": \"Zürich\", \"days\": 2}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", Zurich),
        new("nested values", "deepseek_v3", $"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{Nested}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", $"f({Nested})"),
        new("cut", "deepseek_v3", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"city\": \"Z", "", """weather({"city": "Z)"""),
        new("no arguments", "deepseek_v3", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜><｜tool▁call▁end｜><｜tool▁calls▁end｜> ok", " ok", "now({})"),
        new("broken arguments", "deepseek_v3", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": {\"b\": \"x}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", """f({"a": {"b": "x})"""),
        new("text alone", "deepseek_v3", "1 <｜ 2", "1 <｜ 2"),

        new(
            "several", "kimi_k2",
            "I look.<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{\"city\": \"Zürich\", \"days\": 2}<|tool_call_end|><|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
            "I look.", Zurich, "now({})")
        {
            Ids = ["functions.weather:0", "functions.now:1"],
        },
        new("nested values", "kimi_k2", $"<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{Nested}<|tool_call_end|><|tool_calls_section_end|>", "", $"f({Nested})"),
        new("no section", "kimi_k2", "<|tool_call_begin|>functions.now:0<|tool_call_argument_begin|> {} <|tool_call_end|>ok", "ok", "now({})"),
        new("cut in the name", "kimi_k2", "Hm.<|tool_calls_section_begin|><|tool_call_begin|>functions.wea", "Hm."),

        new("3.0", "granite", """<|tool_call|>[{"name": "weather", "arguments": {"city": "Zürich", "days": 2}}]""", "", Zurich),
        new("3.1", "granite", """<tool_call>[{"name": "now", "arguments": {}}, {"name": "weather", "arguments": {"city": "Zürich", "days": 2}}]""", "", "now({})", Zurich),
        new(
            "4", "granite", "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Zürich\", \"days\": 2}}\n</tool_call>", "",
            Zurich),
        new("no mark", "granite", """ [{"name": "weather", "arguments": {"city": "Zürich", "days": 2}}]""", "", Zurich),
        new("a list that is no call", "granite", """ [{"city": "Zürich"}]""", """ [{"city": "Zürich"}]"""),
        new("an empty list", "granite", "[] is empty", "[] is empty"),

        new(
            "a call", "openai",
            "<|channel|>analysis<|message|>I need it.<|end|><|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{\"city\": \"Zürich\", \"days\": 2}<|call|>",
            "", Zurich)
        {
            Reasoning = "I need it.",
        },
        new(
            "a preamble", "openai",
            "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant to=functions.now<|channel|>commentary json<|message|>{}<|call|><|start|>assistant<|channel|>commentary to=functions.weather<|message|>\n{\"city\": \"Zürich\", \"days\": 2} ",
            "I look.", "now({})", Zurich),
        new(
            "an answer", "openai",
            "<|channel|>analysis<|message|>Think.\n<|end|><|start|>assistant<|channel|>final<|message|>Hello <b>!<|return|>", "Hello <b>!")
        {
            Reasoning = "Think.\n",
        },
        new("the recipient first", "openai", " to=functions.now<|channel|>commentary<|message|><|call|>", "", "now({})"),
        new("no channels", "openai", "Hello", "Hello"),
        new("nested values", "openai", $"<|channel|>commentary to=functions.f<|message|>{Nested}<|call|>", "", $"f({Nested})"),
        new("code for another tool", "openai", "<|channel|>analysis to=python code<|message|>print(1)<|end|><|start|>assistant<|channel|>final<|message|>1", "1")
        {
            Reasoning = "print(1)",
        },
    ];
}
