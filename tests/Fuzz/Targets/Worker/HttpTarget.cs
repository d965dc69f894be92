namespace Cluster.Fuzz.Targets.Worker;

/// <summary>Requests at the HTTP APIs of a real worker: each is answered, or refused as the caller's fault.</summary>
internal sealed class HttpTarget(string name) : IFuzzTarget
{
    private static readonly string[] Words =
    [
        "\"max_tokens\"", "\"stream\"", "\"logprobs\"", "\"response_format\"", "{\"type\": \"json_object\"}", "\"tools\"",
        "\"tool_choice\"", "\"required\"",
        "\"prompt\"", "[[1, 2]]", "\"messages\"", "[{\"role\": \"user\", \"content\": \"x\"}]", "\"n\"", "\"best_of\"", "\"seed\"",
        "\"stop\"", "\"logit_bias\"", "\"choices\"", "\"tokens\"", "\"events\"", "\"request\"", "\"created\"",
    ];

    private readonly ServingWorker _worker = new();
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromMinutes(2) };

    public string Name => name;

    public IReadOnlyList<byte[]> Seeds { get; } = [.. SeedFiles.Under("tests/fixtures/seeds/http", "*.txt").Where(IsAnswered)];

    public IMutator Mutator { get; } = new HeadMutator(
        new PieceMutator(
            "/", "v1", "chat", "completions", "POST ", "GET ", "?", "%00", "//", "..", "metrics", "health", "tokenize",
            "\nAccept: text/event-stream"),
        new AnyMutator(new TextMutator(Words), new ValueMutator()));

    public FuzzLimits Limits { get; } = FuzzLimits.Default with { ProcessorTime = TimeSpan.FromSeconds(30), Cost = 10 };

    public Verdict Run(byte[] input)
    {
        using var request = RequestText.Read(input, _worker.HttpAddress, "application/json");
        if (request is null)
        {
            return Verdict.Refused("no request");
        }

        try
        {
            using var response = _client.Send(request);
            using StreamReader reader = new(response.Content.ReadAsStream());
            var text = reader.ReadToEnd();
            _worker.RequireNoErrors();

            // 424 is TGI's word for 500.
            return (int)response.StatusCode is >= 500 or 424 || text.Contains("had an error", StringComparison.Ordinal)
                ? throw new FuzzFailure("no request is the server's failure", $"{(int)response.StatusCode} {text}")
                : response.IsSuccessStatusCode ? Verdict.Accepted : Verdict.Refused($"{(int)response.StatusCode} {text}");
        }
        catch (HttpRequestException exception) when (exception.HttpRequestError == HttpRequestError.Unknown)
        {
            return Verdict.Refused("the client does not send it");
        }
    }

    public void Dispose()
    {
        _client.Dispose();
        _worker.Dispose();
    }

    // A path that has no POST is refused from the start.
    private static bool IsAnswered(byte[] seed) => !seed.AsSpan().StartsWith("POST /v1/models"u8);
}
