namespace Cluster.Worker.Engine;

/// <summary>What a request has where it sets nothing: the model's <c>generation_config.json</c>, and what the server was started with. Null
/// leaves the API's own default.</summary>
internal sealed record SamplingDefaults
{
    public static readonly SamplingDefaults None = new();

    public float? Temperature { get; init; }

    public int? TopK { get; init; }

    public float? TopP { get; init; }

    public float? MinP { get; init; }

    public float? RepetitionPenalty { get; init; }

    /// <summary>Tokens to generate where a request names no number.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Most tokens to generate, whatever a request names.</summary>
    public int? MaxTokensLimit { get; init; }

    /// <summary>Most tokens to generate.</summary>
    /// <param name="asked">The request's number.</param>
    /// <param name="fallback">The API's default.</param>
    public int? MostTokens(int? asked, int? fallback = null)
    {
        var most = asked ?? MaxTokens ?? fallback;
        return MaxTokensLimit is { } limit && !(most <= limit) ? limit : most;
    }
}
