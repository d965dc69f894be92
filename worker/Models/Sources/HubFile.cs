namespace Cluster.Worker.Models.Sources;

/// <summary>One file of a revision, as the hub lists it.</summary>
/// <param name="Name">Path in the repository, with <c>/</c>; checked to stay inside it.</param>
/// <param name="Size">Bytes; null where a mirror does not tell in its listing.</param>
/// <param name="Blob">Hash of the content; null where a mirror does not tell in its listing.</param>
internal sealed record HubFile(string Name, long? Size, BlobId? Blob);
