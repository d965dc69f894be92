namespace Cluster.Worker.Models.Sources;

/// <summary>Adds up what several downloads report. Used by <see cref="HubModelStore"/>.</summary>
internal sealed class DownloadTally(IProgress<HubProgress>? progress)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, long> bytes = new(StringComparer.Ordinal);
    private long bytesDone;
    private long bytesTotal;
    private int filesDone;

    /// <summary>More files are needed.</summary>
    public void Expect(IEnumerable<HubFile> files)
    {
        lock (gate)
        {
            foreach (var file in files)
            {
                bytes.Add(file.Name, 0);
                bytesTotal += file.Size!.Value;
            }
        }
    }

    /// <param name="fileBytes">Bytes of the file that are there.</param>
    /// <param name="done">Whether the file is there, checked.</param>
    public void Report(HubFile file, long fileBytes, bool done = false)
    {
        lock (gate)
        {
            bytesDone += fileBytes - bytes[file.Name];
            bytes[file.Name] = fileBytes;
            filesDone += done ? 1 : 0;
            progress?.Report(new HubProgress(file.Name, fileBytes, file.Size!.Value, bytesDone, bytesTotal, filesDone, bytes.Count));
        }
    }
}
