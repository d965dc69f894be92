using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving;

/// <summary>An engine that only looks at the requests of another one: whoever derives from it says what at.</summary>
internal abstract class EngineDecorator(IEngine engine) : IEngine
{
    public int MaxModelLength => Inner.MaxModelLength;

    public int VocabSize => Inner.VocabSize;

    public EngineStatistics Statistics => Inner.Statistics;

    public IEngineObserver? Observer
    {
        get => Inner.Observer;
        set => Inner.Observer = value;
    }

    protected IEngine Inner { get; } = engine;

    public bool Abort(string requestId) => Inner.Abort(requestId);

    public Task DrainAsync(TimeSpan timeout) => Inner.DrainAsync(timeout);

    public abstract IAsyncEnumerable<TokenOutput> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken);
}
