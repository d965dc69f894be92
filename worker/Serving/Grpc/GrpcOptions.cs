namespace Cluster.Worker.Serving.Grpc;

/// <summary>Limits of a call, of the library and of <see cref="GrpcGate"/>.</summary>
internal sealed record GrpcOptions
{
    /// <summary>Largest request message, before and after decompression. A larger one gets RESOURCE_EXHAUSTED.</summary>
    public int MaxReceiveMessageBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Longest time a call may take, whatever deadline its client set; null for no limit. The protocol's own services
    /// (<c>grpc.*</c>: health, reflection) are not meant: a watch lasts as long as its watcher.</summary>
    public TimeSpan? RequestTimeout { get; init; }
}
