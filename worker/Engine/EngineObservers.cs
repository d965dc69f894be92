namespace Cluster.Worker.Engine;

/// <summary>Several observers in place of one.</summary>
internal sealed class EngineObservers(params IReadOnlyList<IEngineObserver> observers) : IEngineObserver
{
    public void FirstToken(TimeSpan sinceArrival)
    {
        foreach (var observer in observers)
        {
            observer.FirstToken(sinceArrival);
        }
    }

    public void InterToken(TimeSpan gap)
    {
        foreach (var observer in observers)
        {
            observer.InterToken(gap);
        }
    }

    public void Ended(EndedRequest request)
    {
        foreach (var observer in observers)
        {
            observer.Ended(request);
        }
    }
}
