using Cluster.Worker.Serving.Relaying;

namespace Cluster.Worker.Serving.Http;

/// <summary>What a request is called and whose turn it is: everything beside its prompt and how it is sampled. Read by the
/// endpoints.</summary>
/// <param name="ResponseId">The <c>id</c> of the response.</param>
/// <param name="EngineId">Unique, whatever a client calls its requests.</param>
/// <param name="Priority">Lower comes earlier.</param>
/// <param name="CacheSalt">Cached prefixes are shared only with requests of the same salt; null for none.</param>
internal sealed record RequestTicket(string ResponseId, string EngineId, int Priority = 0, string? CacheSalt = null)
{
    private const int MaxIdLength = 128;

    /// <summary>What the gateway told of the request; null when it came from elsewhere.</summary>
    public Envelope? Envelope { get; init; }

    /// <summary>Of a request that is called nothing.</summary>
    public static RequestTicket Draw(HttpContext context, string prefix)
    {
        var id = $"{prefix}-{Guid.NewGuid():N}";
        return Envelope.Of(context) is not { } envelope
            ? new RequestTicket(id, id)
            : new RequestTicket($"{prefix}-{envelope.Id}", id, 0, envelope.CacheSalt) { Envelope = envelope };
    }

    /// <summary>When the request was made, by the gateway's clock where it came from there.</summary>
    public DateTimeOffset Created(TimeProvider time) => Envelope?.Now ?? time.GetUtcNow();

    /// <summary>The id ends in the header <c>X-Request-Id</c> or the field <c>request_id</c>, in this order, as in vLLM.</summary>
    /// <exception cref="ApiException">A field is malformed.</exception>
    public static RequestTicket Read(HttpContext context, RequestFields fields, string prefix)
    {
        var field = fields.String("request_id");
        if (field is { Length: > MaxIdLength } || field?.Any(char.IsControl) == true)
        {
            throw ApiException.BadRequest(
                $"'request_id' has {field.Length} characters; it must have at most {MaxIdLength}, and no control characters", "request_id");
        }

        var name = AccessLog.GivenId(context) ?? field;
        var drawn = Draw(context, prefix);
        var id = string.IsNullOrEmpty(name) ? drawn.ResponseId : $"{prefix}-{name}";
        var salt = fields.String("cache_salt");
        return drawn with
        {
            ResponseId = id,
            EngineId = id == drawn.EngineId ? id : $"{id}-{drawn.EngineId[^8..]}",
            Priority = fields.Integer("priority") ?? 0,
            CacheSalt = drawn.CacheSalt ?? salt,
        };
    }
}
