using System.Security.Cryptography;
using System.Text;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving;

/// <summary>An engine whose prefix cache is shared only between requests of one API key (<c>--cache-isolation key</c>). How long a first
/// token takes tells whether a prefix is cached, and so whether somebody has sent it; behind this, only one's own.</summary>
/// <param name="caller">The key of the request that is being handled (<see cref="ApiKeys.Identify"/>); null for none.</param>
internal sealed class KeyIsolatedEngine(IEngine engine, Func<string?> caller) : IEngine
{
    public int MaxModelLength => engine.MaxModelLength;

    public int MaxPromptLength => engine.MaxPromptLength;

    public int VocabSize => engine.VocabSize;

    public EngineStatistics Statistics => engine.Statistics;

    public TimeSpan Silence => engine.Silence;

    public IAsyncEnumerable<TokenOutput> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken) =>
        engine.GenerateAsync(request with { CacheSalt = Salt(caller(), request.CacheSalt) }, cancellationToken);

    public bool Abort(string requestId) => engine.Abort(requestId);

    public Task DrainAsync(TimeSpan timeout) => engine.DrainAsync(timeout);

    /// <summary>Of the key and what the caller gave, which the engine has still to refuse where it is none.</summary>
    private static string? Salt(string? key, string? given) =>
        key is null || given is { Length: 0 or > RequestValidator.MaxCacheSaltLength } ? given
        : given is null ? key
        : Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{key} {given}")));
}
