using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Text;
using Cluster.Tests.Shared.Fuzzing;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Relaying;
using Cluster.Worker.Tests.Engine;
using Cluster.Worker.Tests.Serving;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Cluster.Worker.Tokenization;
using Grpc.Core;

namespace Cluster.Worker.Tests.Fuzz;

/// <summary>Thousands of damaged requests at every endpoint of a real engine: each is answered, or refused as the caller's fault, and none
/// is a surprise to the server. The seed is fixed; a failure prints the number of the mutation.</summary>
public sealed class RequestFuzzTests(ITestOutputHelper output)
{
    private const int CasesPerRequest = 160;

    private static readonly TextMutator Texts = new();
    private static readonly ValueMutator Values = new();
    private static readonly ByteMutator Bytes = new();

    /// <summary>tests/fixtures/seeds/http: a line with method and path, lines of headers, an empty one, and the body.</summary>
    private static readonly (string[] Head, byte[] Body)[] Bodies =
    [
        .. RepositoryFiles.Under("tests/fixtures/seeds/http", "*.txt").Order(StringComparer.Ordinal)
            .Select(file => HeadMutator.Split(File.ReadAllBytes(Path.Combine(RepositoryRoot.Path, file))))
            .Select(parts => (Encoding.UTF8.GetString(parts.Head)["POST ".Length..].Split('\n'), parts.Body)),
    ];

    [Fact]
    [SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
    public async Task No_body_is_a_failure_of_the_server()
    {
        using var log = new RecordedLog();
        await using var engine = NewEngine();
        await using var server = await StartAsync(engine, log);
        var failures = new List<string>();
        int refused = 0, answered = 0;
        foreach (var ((head, body), which) in Bodies.Select((request, index) => (request, index)))
        {
            var path = head[0];
            // Undamaged first: what is refused from the start tests nothing.
            for (var seed = -1; seed < CasesPerRequest; seed++)
            {
                var random = new Random(which * 10_000 + seed);
                var bytes = seed < 0 ? body : seed % 2 == 0 ? Texts.Mutate(body, random) : Values.Mutate(body, random);
                using var request = Request(head, bytes);
                using var response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
                var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                var status = (int)response.StatusCode;
                answered += status == 200 ? 1 : 0;
                refused += status is >= 400 and < 500 ? 1 : 0;

                // 424 is TGI's word for 500.
                var isSound = status is 200 or 400 or 404 or 405 or 413 or 422 && !text.Contains("had an error", StringComparison.Ordinal);
                if (!isSound || seed < 0 && status != 200 && path != "/v1/models")
                {
                    failures.Add($"{path} {which}, mutation {seed}: {status} {text}\n{Encoding.UTF8.GetString(bytes)}");
                }
            }
        }

        output.WriteLine($"HTTP: {answered} answered, {refused} refused");
        Assert.True(failures.Count == 0, $"{failures.Count} ended badly:\n{string.Join("\n\n", failures.Take(8))}");
        Assert.True(log.Errors.IsEmpty, string.Join("\n", log.Errors));
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
        foreach (var ((service, name, original), which) in GrpcSeeds.All.Select((request, index) => (request, index)))
        {
            var method = new Method<byte[], byte[]>(
                MethodType.ServerStreaming, service, name, Marshallers.Create(bytes => bytes, bytes => bytes),
                Marshallers.Create(bytes => bytes, bytes => bytes));
            for (var seed = -1; seed < CasesPerRequest; seed++)
            {
                var bytes = seed < 0 ? original : Bytes.Mutate(original, new Random(which * 10_000 + seed));
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
        Assert.True(log.Errors.IsEmpty, string.Join("\n", log.Errors));
        Assert.True(refused > answered / 10, "the damage is none");
    }

    private static LlmEngine NewEngine() => new(
        new FakeModelRunner(new FakeTokenizer().VocabSize, blockSize: 16, numBlocks: 4096, maxModelLength: 4096), new FakeTokenizer(),
        new EngineOptions { EosTokenIds = [FakeTokenizer.Eos] }, TimeProvider.System);

    private static HttpRequestMessage Request(string[] head, byte[] body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, head[0]) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        foreach (var header in head.Skip(1).Select(line => line.Split(": ")))
        {
            if (!request.Headers.TryAddWithoutValidation(header[0], header[1]))
            {
                request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(header[1]);
            }
        }

        return request;
    }

    private static async Task<HttpTestServer> StartAsync(LlmEngine engine, RecordedLog log)
    {
        var server = await HttpTestServer.StartAsync(
            ready: false, log: log, configure: options => options with { GatewayKey = new GatewayKey("fuzz") });
        server.Server.BecomeReady(new ServedModel(
            ["model", "alias"], "/models/model", engine, new FakeTokenizer(),
            new ChatTemplate(
                RepositoryFiles.Read("tests/fixtures/seeds/chat-templates/tools.jinja"), null, new Dictionary<string, string>()),
            ["cpu"]));
        return server;
    }
}
