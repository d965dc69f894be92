using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using Cluster.Worker.Engine;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving;
using Cluster.Worker.Tests.Engine;
using Cluster.Worker.Tests.Serving;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Cluster.Worker.Tokenization;
using Google.Protobuf;
using Grpc.Core;
using Vllm = Cluster.Worker.Protos.Vllm;

namespace Cluster.Worker.Tests.Fuzz;

/// <summary>Thousands of damaged requests at every endpoint of a real engine: each is answered, or refused as the caller's fault, and none
/// is a surprise to the server. The seed is fixed; a failure prints the number of the mutation.</summary>
public sealed class RequestFuzzTests(ITestOutputHelper output)
{
    private const int CasesPerRequest = 160;

    /// <summary>Branches, calls and tools as the templates of models have them.</summary>
    private const string Template = """
        {%- if tools %}{%- for tool in tools %}{{- tool | tojson }}{%- endfor %}{%- endif %}
        {%- for message in messages %}{{- '<|im_start|>' + message.role + '\n' + message.content }}
        {%- if 'tool_calls' in message %}{%- for call in message.tool_calls %}
        {{- call.function.name }}{%- for key, value in call.function.arguments.items() %}{{- key ~ value | string | length }}{%- endfor %}
        {%- endfor %}{%- endif %}{{- '<|im_end|>\n' }}{%- endfor %}
        {%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}
        """;

    private static readonly (string Path, string Body)[] Bodies =
    [
        ("/v1/chat/completions", """
            {"model": "model", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": [{"type": "text", "text": "hi 😀"}]},
             {"role": "assistant", "content": null, "refusal": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f",
              "arguments": "{\"a\": [1, 2.5, null], \"b\": {\"c\": \"\\u00e9\"}}"}}]}, {"role": "tool", "tool_call_id": "c1", "content": "4"}],
             "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object",
              "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]}}}], "tool_choice": "auto", "max_tokens": 2, "temperature": 0.5}
            """),
        ("/v1/chat/completions", """
            {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
             {"role": "function", "name": "f", "content": "1"}], "stream": true, "stream_options": {"include_usage": true}, "max_completion_tokens": 3,
             "logprobs": true, "top_logprobs": 2, "chat_template_kwargs": {"enable_thinking": false}, "seed": 3, "n": 2, "tool_choice": "none"}
            """),
        ("/v1/chat/completions", """
            {"messages": [{"role": "user", "content": "x"}], "max_tokens": 4, "response_format": {"type": "json_schema", "json_schema": {"name": "s",
             "strict": true, "schema": {"type": "object", "properties": {"a": {"type": "string", "pattern": "^[a-z]{2,3}$"}, "b": {"enum": [1, "x"]}},
             "required": ["a"], "additionalProperties": false, "$defs": {"t": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/t"}]}}}}}}
            """),
        ("/v1/completions", """
            {"model": "model", "prompt": ["a", "b"], "max_tokens": 2, "temperature": 0, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "n": 1, "best_of": 2,
             "stop": ["x", "yz"], "stop_token_ids": [5], "logit_bias": {"7": -1.5}, "logprobs": 2, "echo": true, "user": "u", "suffix": null,
             "repetition_penalty": 1.1, "presence_penalty": 0.5, "frequency_penalty": -0.5, "min_tokens": 1, "ignore_eos": true, "seed": 1}
            """),
        ("/v1/completions", """
            {"prompt": [[1, 2], [3]], "max_tokens": 2, "stream": true, "truncate_prompt_tokens": 1, "skip_special_tokens": false,
             "include_stop_str_in_output": true, "structured_outputs": {"regex": "(ab|c)+[0-9]{1,3}"}}
            """),
        ("/v1/completions", """{"prompt": "x", "max_tokens": 2, "guided_choice": ["a", "b"], "use_beam_search": false, "prompt_logprobs": 1}"""),
        ("/v1/completions", """
            {"prompt": "x", "max_tokens": 3, "n": 2, "use_beam_search": true, "length_penalty": 0.5, "early_stopping": "never"}
            """),
        ("/generate", """{"prompt": "hello", "max_tokens": 2, "stream": true, "temperature": 0.7}"""),
        ("/generate", """
            {"inputs": "hello", "parameters": {"max_new_tokens": 2, "do_sample": true, "details": true, "best_of": 2, "top_n_tokens": 2,
             "grammar": {"type": "regex", "value": "[a-c]+"}, "stop": ["x"], "truncate": 3, "return_full_text": true}}
            """),
        ("/generate_stream", """{"inputs": "hello", "parameters": {"max_new_tokens": 2, "seed": 4, "temperature": 0.5, "top_p": 0.5}}"""),
        ("/", """
            {"inputs": "hello", "stream": false, "parameters": {"max_new_tokens": 2, "grammar": {"type": "json", "value": {"type": "integer"}}}}
            """),
        ("/tokenize", """{"model": "model", "prompt": "hi", "add_special_tokens": true, "return_token_strs": true}"""),
        ("/tokenize", """{"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": false, "tools": []}"""),
        ("/detokenize", """{"tokens": [1, 2, 3, 100], "model": "model"}"""),
        ("/ping", "{}"),
        ("/v1/models", """{"model": "model"}"""),
    ];

    [Fact]
    public async Task No_body_is_a_failure_of_the_server()
    {
        using var log = new RecordedLog();
        await using var engine = NewEngine();
        await using var server = await StartAsync(engine, log);
        var failures = new List<string>();
        int refused = 0, answered = 0;
        foreach (var ((path, body), which) in Bodies.Select((request, index) => (request, index)))
        {
            // Undamaged first: what is refused from the start tests nothing.
            for (var seed = -1; seed < CasesPerRequest; seed++)
            {
                var bytes = seed < 0 ? System.Text.Encoding.UTF8.GetBytes(body)
                    : seed % 2 == 0 ? new Mutator(which * 10_000 + seed).Mutate(body)
                    : new ValueMutator(which * 10_000 + seed).Mutate(body);
                using var content = new ByteArrayContent(bytes);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                using var response = await server.Client.PostAsync(path, content, TestContext.Current.CancellationToken);
                var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                var status = (int)response.StatusCode;
                answered += status == 200 ? 1 : 0;
                refused += status is >= 400 and < 500 ? 1 : 0;

                // 424 is TGI's word for 500.
                var isSound = status is 200 or 400 or 404 or 405 or 413 or 422 && !text.Contains("had an error", StringComparison.Ordinal);
                if (!isSound || seed < 0 && status != 200 && path != "/v1/models")
                {
                    failures.Add($"{path} {which}, mutation {seed}: {status} {text}\n{System.Text.Encoding.UTF8.GetString(bytes)}");
                }
            }
        }

        output.WriteLine($"HTTP: {answered} answered, {refused} refused");
        Assert.True(failures.Count == 0, $"{failures.Count} ended badly:\n{string.Join("\n\n", failures.Take(8))}");
        Assert.Empty(log.Errors);
        Assert.True(refused > answered / 10, "the mutator does no damage");
    }

    [Fact]
    [SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
    public async Task No_message_is_a_failure_of_the_server()
    {
        using var log = new RecordedLog();
        await using var engine = NewEngine();
        await using var server = await StartAsync(engine, log);
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);
        var calls = channel.CreateCallInvoker();
        var failures = new List<string>();
        int refused = 0, answered = 0;
        foreach (var ((service, name, original), which) in Messages().Select((request, index) => (request, index)))
        {
            var method = new Method<byte[], byte[]>(
                MethodType.ServerStreaming, service, name, Marshallers.Create(bytes => bytes, bytes => bytes),
                Marshallers.Create(bytes => bytes, bytes => bytes));
            for (var seed = -1; seed < CasesPerRequest; seed++)
            {
                var bytes = seed < 0 ? original : Damaged(original, new Random(which * 10_000 + seed));
                try
                {
                    using var call = calls.AsyncServerStreamingCall(method, null, default, bytes);
                    await foreach (var _ in call.ResponseStream.ReadAllAsync(TestContext.Current.CancellationToken))
                    {
                    }

                    answered++;
                }
                catch (RpcException exception)
                {
                    refused++;
                    if (seed < 0 || exception.StatusCode == StatusCode.Unknown
                        || exception.Status.Detail.StartsWith("internal error", StringComparison.Ordinal))
                    {
                        failures.Add($"{service}/{name}, mutation {seed}: {exception.Status} {Convert.ToHexString(bytes)}");
                    }
                }
            }
        }

        output.WriteLine($"gRPC: {answered} answered, {refused} refused");
        Assert.True(failures.Count == 0, $"{failures.Count} ended badly:\n{string.Join("\n\n", failures.Take(8))}");
        Assert.Empty(log.Errors);
        Assert.True(refused > answered / 10, "the damage is none");
    }

    private static IEnumerable<(string Service, string Name, byte[] Message)> Messages()
    {
        const string Text = "cluster.v1.TextGeneration", Gateway = "vllm.grpc.engine.VllmEngine";
        var sampling = new SamplingParams { Temperature = 0.5f, MaxTokens = 2, Seed = 4, Stop = { "x" } };
        var chat = new Conversation
        {
            Messages = { new Message { Role = "system", Content = "be brief" }, new Message { Role = "user", Content = "hi 😀" } },
        };
        var generate = new GenerateRequest { Chat = chat, Sampling = sampling, Model = "model" };
        var fromText = new GenerateRequest { Prompt = "hello", Sampling = sampling };
        yield return (Text, "Generate", generate.ToByteArray());
        yield return (Text, "GenerateStream", fromText.ToByteArray());
        yield return (Text, "GenerateBatch", new GenerateBatchRequest { Requests = { fromText, generate } }.ToByteArray());
        yield return (Text, "Tokenize", new TokenizeRequest { Chat = chat, Model = "alias" }.ToByteArray());
        yield return (Text, "Detokenize", new DetokenizeRequest { TokenIds = { 5, 6, 100 }, SkipSpecialTokens = true }.ToByteArray());
        yield return (Gateway, "Generate", new Vllm.GenerateRequest
        {
            Text = "hello",
            Stream = true,
            SamplingParams = new Vllm.SamplingParams { MaxTokens = 2, TopK = 4, Regex = "[ab]+", LogitBias = { [7] = -1 } },
        }.ToByteArray());
        yield return (Gateway, "Generate", new Vllm.GenerateRequest
        {
            Tokenized = new Vllm.TokenizedInput { OriginalText = "hi", InputIds = { 9, 10 } },
            SamplingParams = new Vllm.SamplingParams { MaxTokens = 2, JsonSchema = "{\"type\": \"integer\"}", Seed = 3 },
        }.ToByteArray());
        yield return (Gateway, "Abort", new Vllm.AbortRequest { RequestIds = { "a", "b" } }.ToByteArray());
        yield return (Gateway, "HealthCheck", []);
        yield return (Gateway, "GetModelInfo", []);
        yield return (Gateway, "GetServerInfo", []);
        yield return (
            "grpc.health.v1.Health", "Check",
            new global::Grpc.Health.V1.HealthCheckRequest { Service = "liveness" }.ToByteArray());
        yield return (
            "grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo",
            new global::Grpc.Reflection.V1Alpha.ServerReflectionRequest { FileContainingSymbol = Text }.ToByteArray());
    }

    [SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
    private static byte[] Damaged(byte[] message, Random random)
    {
        var bytes = message.ToList();
        for (var i = random.Next(3); i >= 0; i--)
        {
            var at = random.Next(bytes.Count + 1);
            switch (random.Next(5))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(bytes.Count - at, random.Next(6)));
                    break;
                case 3:
                    bytes.AddRange(bytes.GetRange(at, Math.Min(bytes.Count - at, random.Next(12))));
                    break;
                default:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
            }
        }

        return [.. bytes];
    }

    private static LlmEngine NewEngine() => new(
        new FakeModelRunner(new FakeTokenizer().VocabSize, blockSize: 16, numBlocks: 4096, maxModelLength: 4096), new FakeTokenizer(),
        new EngineOptions { EosTokenIds = [FakeTokenizer.Eos] }, TimeProvider.System);

    private static async Task<HttpTestServer> StartAsync(LlmEngine engine, RecordedLog log)
    {
        var server = await HttpTestServer.StartAsync(ready: false, log: log);
        server.Server.BecomeReady(new ServedModel(
            ["model", "alias"], "/models/model", engine, new FakeTokenizer(),
            new ChatTemplate(Template, null, new Dictionary<string, string>()), ["cpu"]));
        return server;
    }
}
