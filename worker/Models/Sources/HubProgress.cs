namespace Cluster.Worker.Models.Sources;

/// <summary>How far a download has come; reported with each piece, one at a time.</summary>
/// <param name="File">The file that moved.</param>
/// <param name="FileBytes">Bytes of it that are there.</param>
/// <param name="FileSize">Bytes it will have.</param>
/// <param name="BytesDone">Bytes of all files that are there. Falls when a content is thrown away.</param>
/// <param name="BytesTotal">Bytes of all files. Rises once, when the weight index has told which shards there are.</param>
/// <param name="FilesDone">Files that are there, checked.</param>
/// <param name="FilesTotal">Files that are needed.</param>
internal readonly record struct HubProgress(
    string File, long FileBytes, long FileSize, long BytesDone, long BytesTotal, int FilesDone, int FilesTotal);
