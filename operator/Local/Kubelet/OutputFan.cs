using System.Text;
using System.Threading.Channels;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>What a container prints, as bytes for whoever is attached and as lines for its log.</summary>
internal sealed class OutputFan(ContainerLog log)
{
    private const int MaxPieces = 1024;
    private const int MaxLineBytes = 16 * 1024;

    private readonly Lock _gate = new();
    private readonly List<Channel<(string Stream, byte[] Bytes)>> _listeners = [];
    private readonly Dictionary<string, MemoryStream> _lines = new(StringComparer.Ordinal);
    private bool _ended;

    /// <param name="stream"><c>stdout</c> or <c>stderr</c>.</param>
    public void Print(string stream, ReadOnlySpan<byte> bytes)
    {
        var piece = bytes.ToArray();
        lock (_gate)
        {
            // Who reads too slowly is let go; the container does not wait for it.
            foreach (var listener in _listeners.Where(listener => !listener.Writer.TryWrite((stream, piece))).ToList())
            {
                listener.Writer.TryComplete();
                _listeners.Remove(listener);
            }

            Log(stream, bytes);
        }
    }

    /// <summary>Nothing more comes.</summary>
    public void End()
    {
        lock (_gate)
        {
            _ended = true;
            foreach (var (stream, line) in _lines)
            {
                if (line.Length > 0)
                {
                    EndLine(stream, line);
                }
            }

            _listeners.ForEach(listener => listener.Writer.TryComplete());
            _listeners.Clear();
        }
    }

    /// <summary>All that is printed from now on; ends with the container.</summary>
    public ChannelReader<(string Stream, byte[] Bytes)> Listen()
    {
        var listener = Channel.CreateBounded<(string, byte[])>(MaxPieces);
        lock (_gate)
        {
            if (_ended)
            {
                listener.Writer.Complete();
            }
            else
            {
                _listeners.Add(listener);
            }
        }

        return listener.Reader;
    }

    public void Leave(ChannelReader<(string Stream, byte[] Bytes)> reader)
    {
        lock (_gate)
        {
            _listeners.RemoveAll(listener => listener.Reader == reader);
        }
    }

    private void Log(string stream, ReadOnlySpan<byte> bytes)
    {
        if (!_lines.TryGetValue(stream, out var line))
        {
            _lines[stream] = line = new MemoryStream();
        }

        while (bytes.Length > 0)
        {
            var end = bytes.IndexOf((byte)'\n');
            var part = end < 0 ? bytes : bytes[..end];
            line.Write(part[..(int)Math.Min(part.Length, MaxLineBytes - Math.Min(line.Length, MaxLineBytes))]);
            if (end >= 0)
            {
                EndLine(stream, line);
            }

            bytes = end < 0 ? [] : bytes[(end + 1)..];
        }
    }

    private void EndLine(string stream, MemoryStream line)
    {
        log.Append(stream, Encoding.UTF8.GetString(line.GetBuffer(), 0, (int)line.Length).TrimEnd('\r'));
        line.SetLength(0);
    }
}
