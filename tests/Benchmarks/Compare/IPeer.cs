namespace Cluster.Benchmarks.Compare;

/// <summary>The other side: llama.cpp, however it could be had.</summary>
internal interface IPeer
{
    /// <summary>What it is, for the head of the table.</summary>
    string Description { get; }

    /// <summary>Opens a model for timing.</summary>
    /// <param name="sequences">Most of one batch.</param>
    /// <param name="context">Tokens of the longest sequence.</param>
    /// <param name="batch">Most rows of one batch.</param>
    Task<IPeerModel> OpenAsync(string file, int sequences, int context, int batch, int threads, CancellationToken cancellationToken);

    /// <summary>Starts serving a model and waits until it answers.</summary>
    /// <returns>Null where the peer has no server.</returns>
    Task<ServerProcess?> ServeAsync(string file, int slots, int context, int threads, CancellationToken cancellationToken);
}

/// <summary>A model that the peer has loaded.</summary>
internal interface IPeerModel : IAsyncDisposable
{
    /// <summary>Seconds of a prompt; null where the peer cannot tell.</summary>
    Task<double?> PrefillAsync(int tokens, CancellationToken cancellationToken);

    /// <summary>Seconds of a step in which so many sequences decode, each at this context; null where the peer cannot tell.</summary>
    Task<double?> DecodeAsync(int sequences, int context, int steps, CancellationToken cancellationToken);
}
