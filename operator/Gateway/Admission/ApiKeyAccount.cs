using Cluster.Operator.Gateway.Http;

namespace Cluster.Operator.Gateway.Admission;

/// <summary>Who sends requests: what they may use, and how much of it is left this minute.</summary>
internal sealed class ApiKeyAccount
{
    private readonly ApiKeyEntry? _entry;
    private readonly MinuteBudget? _requests;
    private readonly MinuteBudget? _tokens;
    private readonly Action<string, string> _refused;

    /// <param name="refused">Told the key's name and why, when it is refused.</param>
    public ApiKeyAccount(ApiKeyEntry entry, TimeProvider time, Action<string, string> refused)
    {
        (_entry, _refused) = (entry, refused);
        _requests = entry.RequestsPerMinute is { } requests ? new MinuteBudget(requests, time) : null;
        _tokens = entry.TokensPerMinute is { } tokens ? new MinuteBudget(tokens, time) : null;
    }

    private ApiKeyAccount() => _refused = (_, _) => { };

    /// <summary>Everyone, where no keys are asked for.</summary>
    public static ApiKeyAccount Anyone { get; } = new();

    public string Name => _entry?.Name ?? "";

    public ApiKeyEntry? Entry => _entry;

    /// <summary>For isolated caches: the same for every request with the key, and of no use to others.</summary>
    public string? CacheIdentity => _entry is null ? null : Convert.ToHexStringLower(_entry.Digest);

    public bool MayUse(string model) => _entry?.Models is not { } models || models.Contains(model);

    /// <exception cref="GatewayException">The key has had its share of this minute.</exception>
    public void RequireBudget(int promptTokens)
    {
        if (_requests?.Take(1) is { } soon)
        {
            throw Refuse("requests", _entry!.RequestsPerMinute!.Value, soon);
        }

        if (_tokens?.Take(promptTokens) is { } later)
        {
            _requests?.Spend(-1);
            throw Refuse("tokens", _entry!.TokensPerMinute!.Value, later);
        }
    }

    /// <summary>A request has taken more tokens than its prompt was thought to have, or fewer.</summary>
    public void Spend(int tokens) => _tokens?.Spend(tokens);

    private GatewayException Refuse(string what, int limit, TimeSpan after)
    {
        _refused(Name, $"{what}_per_minute");
        return GatewayException.TooMany($"this API key may use {limit} {what} a minute, and has", $"{what}_per_minute", after);
    }
}
