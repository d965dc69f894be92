namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>Limits of the gRPC server, read once by <see cref="GrpcDispatcher"/>.</summary>
internal sealed record GrpcOptions
{
    /// <summary>Largest request message, before and after decompression. A larger one gets RESOURCE_EXHAUSTED.</summary>
    public int MaxReceiveMessageBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Longest time a call may take, whatever deadline its client set; null for no limit. The protocol's own services (<c>grpc.*</c>: health,
    /// reflection) are not meant: a watch lasts as long as its watcher.</summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>Response messages below this go out uncompressed even to clients that want gzip: a token or two does not get smaller.</summary>
    public int MinCompressedMessageBytes { get; init; } = 512;
}
