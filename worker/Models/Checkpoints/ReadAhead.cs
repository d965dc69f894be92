using Cluster.Worker.Models.Layers;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>Reads the files of a checkpoint into the page cache, several at once, a little ahead of the loader: tensors are then unpacked
/// and sent to the device while others come from the disk, instead of one page fault after another. Made by
/// <see cref="Running.ModelLoader"/> while weights load; stands before whoever is told of the progress.</summary>
/// <remarks>
/// Files are cut into segments, and each reader takes the next one that is not in the page cache already. What is read is not kept: the
/// pages are the cache's, so that this costs no memory but a buffer for each reader.
/// <code>
///            taken by the loader ┐              ┌ window
/// file 1 │s0│s1│s2│s3│ file 2 │s4│s5│s6│s7│ file 3 │s8│ …
///                                └ being read ──┘
/// </code>
/// Of several ranks on one machine each reads its share: the cache is one.
/// </remarks>
internal sealed class ReadAhead : IProgress<LoadProgress>, IDisposable
{
    private const int MostReaders = 4;
    private const int BufferBytes = 4 << 20;

    private readonly Func<SafeFileHandle, long, long, bool> _isCached;
    private readonly IProgress<LoadProgress>? _listener;
    private readonly List<(string Path, long Offset, long Length, long Before)> _segments = [];
    private readonly List<Thread> _readers = [];
    private readonly object _gate = new();
    private readonly int _rank;
    private readonly int _ranks;
    private readonly long _window;
    private int _next;
    private long _taken;
    private long _read;
    private bool _stopping;

    /// <param name="source">What has no files is not read ahead.</param>
    /// <param name="listener">Is told the progress, too.</param>
    /// <param name="window">Far enough for a large tensor, and little of any machine's memory.</param>
    /// <param name="isCached">Whether a segment need not be read, being in the page cache; null asks the system.</param>
    public ReadAhead(
        WeightSource source, IProgress<LoadProgress>? listener, int rank = 0, int ranks = 1, long segment = 64L << 20,
        long window = 4L << 30, Func<SafeFileHandle, long, long, bool>? isCached = null)
    {
        _isCached = isCached ?? PageCache.Holds;
        (_listener, _rank, _ranks, _window) = (listener, rank, ranks, window);
        long before = 0;
        foreach (var path in source.Names.Select(source.FileOf).Distinct(StringComparer.Ordinal).Where(File.Exists)
            .Order(StringComparer.Ordinal))
        {
            var length = new FileInfo(path).Length;
            for (long offset = 0; offset < length; offset += segment)
            {
                _segments.Add((path, offset, Math.Min(segment, length - offset), before + offset));
            }

            before += length;
        }

        // A file that is read in no time is not worth threads.
        for (var i = 0; _segments.Count > 1 && i < Math.Min(MostReaders, _segments.Count); i++)
        {
            var reader = new Thread(Read) { IsBackground = true, Name = $"read ahead {i}" };
            _readers.Add(reader);

            // Not in the loader's flow of calls: LoadWatch shall tell where that is.
            reader.UnsafeStart();
        }
    }

    /// <summary>Bytes that were read ahead so far.</summary>
    public long BytesRead => Interlocked.Read(ref _read);

    public void Report(LoadProgress value)
    {
        lock (_gate)
        {
            _taken = Math.Max(_taken, value.BytesDone);
            Monitor.PulseAll(_gate);
        }

        _listener?.Report(value);
    }

    /// <summary>Stops reading.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }

        _readers.ForEach(reader => reader.Join());
    }

    private void Read()
    {
        var buffer = new byte[BufferBytes];
        while (TakeSegment() is { } segment)
        {
            try
            {
                using var file = RegularFile.Open(segment.Path, FileKind.Weights);
                if (_isCached(file, segment.Offset, segment.Length))
                {
                    continue;
                }

                for (long at = 0; at < segment.Length && !Volatile.Read(ref _stopping);)
                {
                    var count = RandomAccess.Read(
                        file, buffer.AsSpan(0, (int)Math.Min(BufferBytes, segment.Length - at)), segment.Offset + at);
                    if (count == 0)
                    {
                        break;
                    }

                    at += count;
                    Interlocked.Add(ref _read, count);
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // The loader will come to it, and has the words for it.
            }
        }
    }

    /// <returns>Null when there is nothing left to read.</returns>
    private (string Path, long Offset, long Length)? TakeSegment()
    {
        lock (_gate)
        {
            while (!_stopping && _next < _segments.Count)
            {
                var (path, offset, length, before) = _segments[_next];
                if (before + length <= _taken || _next % _ranks != _rank)
                {
                    // The loader was there first, or another rank will be.
                    _next++;
                }
                else if (before <= _taken + _window)
                {
                    _next++;
                    return (path, offset, length);
                }
                else
                {
                    Monitor.Wait(_gate);
                }
            }

            return null;
        }
    }
}
