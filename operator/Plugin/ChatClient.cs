using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Common;

namespace Cluster.Operator.Plugin;

/// <param name="Role"><c>system</c>, <c>user</c> or <c>assistant</c>.</param>
internal sealed record ChatMessage(string Role, string Content);

/// <summary>What a request asks beside its messages. Null leaves it to the server.</summary>
internal sealed record ChatSettings(double? Temperature = null, double? TopP = null, int? MaxTokens = null, int? Seed = null);

/// <summary>Some of an answer.</summary>
/// <param name="IsReasoning">What the model thinks before it answers.</param>
/// <param name="Tokens">Of the whole answer, with the last piece; null before.</param>
internal sealed record ChatPiece(string Text, bool IsReasoning = false, int? Tokens = null);

/// <summary>Streams chats from an OpenAI-compatible server. Called by <see cref="ChatSession"/>.</summary>
/// <param name="http">With the server's address.</param>
/// <param name="model">Name to send.</param>
/// <param name="server">As messages name it.</param>
internal sealed class ChatClient(HttpClient http, string model, ChatSettings settings, string server)
{
    private const int MaxErrorChars = 2000;

    /// <exception cref="CommandFailure">It cannot be reached, refuses, or breaks off; the message says why.</exception>
    public async IAsyncEnumerable<ChatPiece> AskAsync(
        IReadOnlyList<ChatMessage> messages, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await SendAsync(messages, cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        await using var events = SseParser.Create(stream).EnumerateAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (await NextAsync(events) is { } data && data != "[DONE]")
        {
            foreach (var piece in Read(data))
            {
                yield return piece;
            }
        }
    }

    private async Task<HttpResponseMessage> SendAsync(IReadOnlyList<ChatMessage> messages, CancellationToken cancellationToken)
    {
        JsonObject body = new()
        {
            ["model"] = model,
            ["messages"] = new JsonArray(
                [.. messages.Select(message => (JsonNode)new JsonObject { ["role"] = message.Role, ["content"] = message.Content })]),
            ["stream"] = true,
            ["stream_options"] = new JsonObject { ["include_usage"] = true },
        };
        Set("temperature", settings.Temperature);
        Set("top_p", settings.TopP);
        Set("max_tokens", settings.MaxTokens);
        Set("seed", settings.Seed);
        HttpResponseMessage response;
        try
        {
            // Behind whatever path the server's address has.
            using HttpRequestMessage request = new(
                HttpMethod.Post, new Uri(http.BaseAddress!.AbsoluteUri.TrimEnd('/') + "/v1/chat/completions"))
            {
                Content = JsonContent.Create(body),
            };
            response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException error)
        {
            throw new CommandFailure($"{server} cannot be reached: {ReplicaHttp.Reason(error)}", error);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            throw new CommandFailure(
                $"{server} answered {(int)response.StatusCode}: {Message(text)}"
                + (response.StatusCode == HttpStatusCode.Unauthorized ? $" (a key is taken from {ApiKey.Variable})" : ""));
        }

        void Set<T>(string name, T? value)
            where T : struct
        {
            if (value is { } given)
            {
                body[name] = JsonValue.Create(given);
            }
        }
    }

    private async Task<string?> NextAsync(IAsyncEnumerator<SseItem<string>> events)
    {
        try
        {
            return await events.MoveNextAsync() ? events.Current.Data : null;
        }
        catch (Exception error) when (error is IOException or HttpRequestException)
        {
            throw new CommandFailure($"{server} broke off: {error.GetBaseException().Message}", error);
        }
    }

    private IEnumerable<ChatPiece> Read(string data)
    {
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(data);
        }
        catch (JsonException error)
        {
            throw new CommandFailure($"{server} streams what is not JSON: {error.Message}", error);
        }

        if (root?["error"] is not null)
        {
            throw new CommandFailure($"{server} ended with an error: {Message(root.ToJsonString())}");
        }

        var delta = (root?["choices"] as JsonArray)?.FirstOrDefault()?["delta"];
        if (((string?)delta?["reasoning_content"] ?? (string?)delta?["reasoning"]) is { Length: > 0 } reasoning)
        {
            yield return new ChatPiece(reasoning, IsReasoning: true);
        }

        if ((string?)delta?["content"] is { Length: > 0 } text)
        {
            yield return new ChatPiece(text);
        }

        if (root?["usage"]?["completion_tokens"] is JsonValue tokens && tokens.TryGetValue(out int count))
        {
            yield return new ChatPiece("", Tokens: count);
        }
    }

    /// <summary>The message of an error in OpenAI's shape; else the beginning of the text.</summary>
    private static string Message(string text)
    {
        try
        {
            if (JsonNode.Parse(text) is JsonObject body && (string?)(body["error"] as JsonObject)?["message"] is { Length: > 0 } message)
            {
                return message;
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // A proxy's page.
        }

        return text.Length > MaxErrorChars ? $"{text[..MaxErrorChars]}…" : text.Trim();
    }
}

/// <summary>The key that workers and gateways may ask for.</summary>
internal static class ApiKey
{
    /// <summary>As in the worker's <c>bench serve</c>.</summary>
    public const string Variable = "OPENAI_API_KEY";

    public static string? OfEnvironment() => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } key ? key : null;
}
