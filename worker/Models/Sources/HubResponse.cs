namespace Cluster.Worker.Models.Sources;

/// <summary>The answer to a request at the hub after its redirects: the message may come from another host, the metadata is always the
/// hub's own word.</summary>
/// <param name="Message">Headers read, body not.</param>
/// <param name="Blob">Hash of the whole file (<c>X-Linked-Etag</c>, else <c>ETag</c>); null where the hub sent none that is a hash.</param>
/// <param name="Size">Bytes of the whole file (<c>X-Linked-Size</c>); null where the hub did not say.</param>
/// <param name="Commit"><c>X-Repo-Commit</c>; null where the hub did not say.</param>
internal sealed record HubResponse(HttpResponseMessage Message, BlobId? Blob, long? Size, string? Commit) : IDisposable
{
    public void Dispose() => Message.Dispose();
}
