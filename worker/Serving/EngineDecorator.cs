using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving;

/// <summary>An engine that only looks at the requests of another one: whoever derives from it says what at.</summary>
internal abstract class EngineDecorator(IEngine engine) : IEngine
{
    public int MaxModelLength => engine.MaxModelLength;

    public int VocabSize => engine.VocabSize;

    public EngineStatistics Statistics => engine.Statistics;

    public IEngineObserver? Observer
    {
        get => engine.Observer;
        set => engine.Observer = value;
    }

    public bool Abort(string requestId) => engine.Abort(requestId);

    public Task DrainAsync(TimeSpan timeout) => engine.DrainAsync(timeout);

    public abstract IAsyncEnumerable<TokenOutput> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken);
}
