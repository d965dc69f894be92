using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;

namespace Cluster.Common.Benchmarking;

/// <summary>Sends one completion to an OpenAI-compatible server and times the events of its stream. Called by <see cref="ServeRun"/>, many
/// at once.</summary>
/// <param name="endpoint">Address of the completions API.</param>
/// <param name="model">Name to send.</param>
internal sealed class CompletionClient(HttpClient http, Uri endpoint, string model, bool ignoreEos, TimeProvider time)
{
    private const int MaxErrorLength = 2000;

    /// <summary>A client without limits of its own: a benchmark waits as long as the server takes.</summary>
    /// <param name="apiKey">Sent as a bearer token; null sends none.</param>
    public static HttpClient CreateHttpClient(string? apiKey)
    {
        var http = new HttpClient(
            new SocketsHttpHandler
            {
                UseProxy = false,
                PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan
            })
        { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.Authorization = apiKey is null ? null : new AuthenticationHeaderValue("Bearer", apiKey);
        return http;
    }

    /// <summary>The first model the server has; also tells whether there is a server.</summary>
    /// <exception cref="IOException">It cannot be reached or does not answer as such a server does.</exception>
    public static async Task<string> FirstModelAsync(HttpClient http, Uri baseAddress, CancellationToken cancellationToken)
    {
        var address = At(baseAddress, "/v1/models");
        try
        {
            using var response = await http.GetAsync(address, cancellationToken);
            var body = await response.Content.ReadAsStringAsync(cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                throw new IOException($"{address} answers {(int)response.StatusCode}: {Shorten(body)}");
            }

            using var document = JsonDocument.Parse(body);
            return document.RootElement.GetProperty("data")[0].GetProperty("id").GetString()!;
        }
        catch (HttpRequestException exception)
        {
            throw new IOException(
                $"no server answers at {baseAddress}: {exception.Message}; start one with 'serve' or name another with --base-url",
                exception);
        }
        catch (Exception exception)
            when (exception is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            throw new IOException($"{address} does not list models as the OpenAI API does: {exception.Message}", exception);
        }
    }

    /// <summary>A path of the API behind whatever path the server's address has.</summary>
    public static Uri At(Uri baseAddress, string path) => new(baseAddress.AbsoluteUri.TrimEnd('/') + '/' + path.TrimStart('/'));

    /// <summary>Never throws for what the server does wrong: that is a result, too.</summary>
    public async Task<RequestMeasurement> SendAsync(BenchmarkPrompt prompt, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, endpoint)
        {
            Content = JsonContent.Create(new Dictionary<string, object>
            {
                ["model"] = model,
                ["prompt"] = prompt.TokenIds,
                ["max_tokens"] = prompt.OutputLength,
                ["temperature"] = 0,
                ["ignore_eos"] = ignoreEos,
                ["stream"] = true,
                ["stream_options"] = new Dictionary<string, object> { ["include_usage"] = true },
            }),
        };
        var started = time.GetTimestamp();
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                return Failed(
                    prompt, $"HTTP {(int)response.StatusCode}: {Shorten(await response.Content.ReadAsStringAsync(cancellationToken))}");
            }

            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            return await ReadAsync(stream, prompt, started, cancellationToken);
        }
        catch (Exception exception)
            when (exception is HttpRequestException or IOException or JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return Failed(prompt, exception.Message);
        }
    }

    private async Task<RequestMeasurement> ReadAsync(
        Stream stream, BenchmarkPrompt prompt, long started, CancellationToken cancellationToken)
    {
        var gaps = new List<double>();
        int promptTokens = prompt.TokenIds.Count, events = 0;
        int? outputTokens = null;
        double first = 0, last = 0;
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            if (item.Data == "[DONE]")
            {
                break;
            }

            var now = time.GetElapsedTime(started).TotalSeconds;
            using var document = JsonDocument.Parse(item.Data);
            var root = document.RootElement;
            if (root.TryGetProperty("error", out var error))
            {
                return Failed(prompt, $"the stream ended with an error: {Shorten(error.GetRawText())}");
            }

            if (root.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object)
            {
                promptTokens = usage.GetProperty("prompt_tokens").GetInt32();
                outputTokens = usage.GetProperty("completion_tokens").GetInt32();
            }

            if (root.TryGetProperty("choices", out var choices) && choices.GetArrayLength() > 0)
            {
                if (events++ == 0)
                {
                    first = now;
                }
                else
                {
                    gaps.Add(now - last);
                }

                last = now;
            }
        }

        return events == 0
            ? Failed(prompt, "the stream ended without a token")
            : new RequestMeasurement
            {
                PromptTokens = promptTokens,
                OutputTokens = outputTokens ?? events,
                TimeToFirstTokenSeconds = first,
                InterTokenSeconds = gaps,
                LatencySeconds = last,
            };
    }

    private static RequestMeasurement Failed(BenchmarkPrompt prompt, string error) =>
        new() { PromptTokens = prompt.TokenIds.Count, Error = error };

    private static string Shorten(string text) => text.Length <= MaxErrorLength ? text : text[..MaxErrorLength] + "…";
}
