namespace Cluster.Worker.Engine;

/// <summary>Is told how long things take, for metrics and traces. Given to the engine when it is made; called on its output path, so it
/// must be quick.</summary>
internal interface IEngineObserver
{
    /// <summary>A sequence has its first token.</summary>
    void FirstToken(TimeSpan sinceArrival)
    {
    }

    /// <summary>Time between two outputs of one sequence.</summary>
    void InterToken(TimeSpan gap)
    {
    }

    /// <summary>A request has ended. Told once for each that the engine has taken.</summary>
    void Ended(EndedRequest request);
}
