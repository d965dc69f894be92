using System.Text.Json;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Http;
using Microsoft.Net.Http.Headers;

namespace Cluster.Worker.Serving.Relaying;

/// <summary>What the gateway tells of a request beside what its client wrote: everything that a worker would draw by itself, so that
/// whoever answers it answers the same, and what an earlier worker has answered already.</summary>
/// <param name="Id">Part of the response's id, in place of a drawn one.</param>
/// <param name="Created">Unix seconds; also what a chat template takes for now.</param>
/// <param name="Seed">Of a request that has none of its own.</param>
internal sealed record Envelope(string Id, long Created, long Seed)
{
    public const string ContentType = "application/vnd.cluster.request+json";

    /// <summary>The client's body has what it may have anywhere, one level down.</summary>
    private const int MaxDepth = ApiJson.MaxDepth + 1;

    private const int MaxIdLength = 128;
    private const int MaxKeyIdLength = 1024;
    private const string Body = "request";

    /// <summary>Last second that a date can have.</summary>
    private const long MaxCreated = 253402300799;

    /// <summary>What was delivered of each choice.</summary>
    public IReadOnlyList<DeliveredChoice> Choices { get; init; } = [];

    /// <summary>Events delivered that belong to no choice.</summary>
    public int Trailing { get; init; }

    /// <summary>What the first attempt has told of the prefix cache; null where it has not.</summary>
    public int? CachedTokens { get; init; }

    /// <summary>Whose request it is, for the isolation of the prefix cache; null for nobody's in particular.</summary>
    public string? KeyId { get; init; }

    /// <summary>In place of the request's own; null leaves that.</summary>
    public string? CacheSalt { get; init; }

    /// <summary>When the request was made.</summary>
    public DateTimeOffset Now => DateTimeOffset.FromUnixTimeSeconds(Created);

    /// <summary>What was delivered of a choice; nothing where the gateway names it not.</summary>
    public DeliveredChoice Delivered(int choice) => choice < Choices.Count ? Choices[choice] : DeliveredChoice.Nothing;

    /// <summary>Tokens that another worker found in its prefix cache for a choice's prompt, as the client was told.</summary>
    public int? CachedTokensOf(int choice) => Delivered(choice).CachedTokens ?? CachedTokens;

    /// <summary>Of the request that is being handled; null when it came without one.</summary>
    public static Envelope? Of(HttpContext context) => context.Features.Get<Envelope>();

    public static bool IsOne(HttpRequest request) =>
        MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MediaType.Equals(ContentType, StringComparison.OrdinalIgnoreCase);

    /// <summary>The client's fields, of a plain body or of one in an envelope, by which the request is handled then.</summary>
    /// <exception cref="JsonException">The body is not JSON.</exception>
    /// <exception cref="ApiException">It is not an object, not JSON by its header, or an envelope with a wrong field.</exception>
    public static async Task<RequestFields> ReadAsync(HttpContext context, ServedModel model)
    {
        if (!IsOne(context.Request))
        {
            return await RequestFields.ReadAsync(context.Request, context.RequestAborted);
        }

        var fields = await RequestFields.ReadAsync(context.Request, context.RequestAborted, MaxDepth);
        try
        {
            var body = fields.Inner(Body);
            Accept(context, Of(fields, model.Engine.MaxModelLength));
            return body;
        }
        catch
        {
            fields.Dispose();
            throw;
        }
    }

    /// <summary>An envelope that comes beside the request.</summary>
    /// <exception cref="InvalidRequestException">It is no envelope.</exception>
    public static Envelope Parse(ReadOnlyMemory<byte> json, int maxModelLength)
    {
        try
        {
            using var fields = RequestFields.Of(
                JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false }));
            return Of(fields, maxModelLength);
        }
        catch (Exception exception) when (exception is JsonException or ApiException or InvalidOperationException)
        {
            throw new InvalidRequestException($"cluster_envelope: {exception.Message}", "cluster_envelope");
        }
    }

    /// <summary>Handles the request by this envelope from here on.</summary>
    public static void Accept(HttpContext context, Envelope envelope)
    {
        context.Features.Set(envelope);
        if (envelope.KeyId is { } caller)
        {
            Authentication.SetKey(context, caller);
        }
    }

    private static Envelope Of(RequestFields fields, int maxModelLength)
    {
        var envelope = new Envelope(
            Text(fields, "id", MaxIdLength) ?? throw Missing("id"),
            fields.Long("created") ?? throw Missing("created"),
            fields.Long("seed") ?? throw Missing("seed"))
        {
            CachedTokens = Count(fields, "cachedTokens"),
            Trailing = Count(fields, "trailing") ?? 0,
            KeyId = Text(fields, "keyId", MaxKeyIdLength),
            CacheSalt = fields.String("cacheSalt"),
            Choices = ReadChoices(fields, maxModelLength),
        };
        fields.Accept(Body);
        fields.RejectUnread();
        return envelope.Created is >= 0 and <= MaxCreated ? envelope : throw Wrong("created", envelope.Created, $"0 to {MaxCreated}");
    }

    private static DeliveredChoice[] ReadChoices(RequestFields fields, int maxModelLength)
    {
        const string Name = "choices";
        if (fields.Element(Name) is not { } given)
        {
            return [];
        }

        if (given.ValueKind != JsonValueKind.Array)
        {
            throw RequestFields.WrongType(Name, given, "an array");
        }

        var length = given.GetArrayLength();
        if (length > Http.Choices.MaxChoices)
        {
            throw Wrong(Name, length, $"at most {Http.Choices.MaxChoices} of them");
        }

        var choices = new DeliveredChoice[length];
        for (var i = 0; i < length; i++)
        {
            using var choice = fields.Item(Name, i);
            if (choice.Element("tokens") is { ValueKind: JsonValueKind.Array } tokens && tokens.GetArrayLength() > maxModelLength)
            {
                throw Wrong($"{Name}[{i}].tokens", tokens.GetArrayLength(), $"at most {maxModelLength} token ids, the model's length");
            }

            choices[i] = new DeliveredChoice(
                [.. choice.Integers("tokens")], Count(choice, "events") ?? 0, Count(choice, "cachedTokens"));
            choice.RejectUnread();
        }

        return choices;
    }

    private static int? Count(RequestFields fields, string name) =>
        fields.Integer(name) is not { } count ? null : count >= 0 ? count : throw Wrong(name, count, "at least 0");

    /// <summary>What may go into ids and headers unchanged.</summary>
    private static string? Text(RequestFields fields, string name, int maxLength) =>
        fields.String(name) is not { } text ? null
        : text.Length > 0 && text.Length <= maxLength && text.All(character => character is > ' ' and <= '~') ? text
        : throw Wrong(name, $"a text of {text.Length} characters", $"1 to {maxLength} visible ASCII characters without spaces");

    private static ApiException Missing(string name) => ApiException.BadRequest($"'{name}' is required in an envelope", name);

    private static ApiException Wrong<T>(string name, T value, string expected) =>
        ApiException.BadRequest($"'{name}' of the envelope is {value}; it must be {expected}", name);
}

/// <summary>What a client has been sent of a choice.</summary>
/// <param name="Tokens">Those its events were made of.</param>
/// <param name="Events">How many there were.</param>
/// <param name="CachedTokens">Of its prompt, where another choice has another prompt; null for what holds for all.</param>
internal sealed record DeliveredChoice(IReadOnlyList<int> Tokens, int Events, int? CachedTokens = null)
{
    public static DeliveredChoice Nothing { get; } = new([], 0);
}
