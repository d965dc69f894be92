namespace Cluster.Worker.Models.Sources;

/// <summary>Adds up what several downloads report. Used by <see cref="HubModelStore"/>.</summary>
internal sealed class DownloadTally(IProgress<HubProgress>? progress)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _bytes = new(StringComparer.Ordinal);
    private long _bytesDone;
    private long _bytesTotal;
    private int _filesDone;

    /// <summary>More files are needed.</summary>
    public void Expect(IEnumerable<HubFile> files)
    {
        lock (_gate)
        {
            foreach (var file in files)
            {
                _bytes.Add(file.Name, 0);
                _bytesTotal += file.Size!.Value;
            }
        }
    }

    /// <param name="fileBytes">Bytes of the file that are there.</param>
    /// <param name="done">Whether the file is there, checked.</param>
    public void Report(HubFile file, long fileBytes, bool done = false)
    {
        lock (_gate)
        {
            _bytesDone += fileBytes - _bytes[file.Name];
            _bytes[file.Name] = fileBytes;
            _filesDone += done ? 1 : 0;
            progress?.Report(new HubProgress(file.Name, fileBytes, file.Size!.Value, _bytesDone, _bytesTotal, _filesDone, _bytes.Count));
        }
    }
}
