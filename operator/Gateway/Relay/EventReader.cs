namespace Cluster.Operator.Gateway.Relay;

/// <summary>Cuts a worker's stream into whole events and takes the marks out, however the bytes come:
/// <code>
/// server-sent events        : cluster 0 15,27 ⏎ data: {…} ⏎ ⏎        an event ends with an empty line
/// JSON lines                : cluster 0 15,27 ⏎ {…} ⏎                an event is a line
/// </code>
/// What is torn is never handed out. Used by <see cref="HttpRelay"/>.</summary>
/// <param name="lines">JSON lines.</param>
internal sealed class EventReader(bool lines)
{
    /// <summary>No event of a worker is that long.</summary>
    public const int MostEventBytes = 16 << 20;

    private const byte LineFeed = (byte)'\n';

    private byte[] _buffer = new byte[16 << 10];
    private byte[] _event = [];
    private int _start;
    private int _end;
    private int _scanned;

    /// <summary>Bytes that belong to an event which has not come whole.</summary>
    public bool IsTorn => _end > _start;

    /// <summary>Room for the next bytes; say how many came with <see cref="Added"/>.</summary>
    /// <exception cref="GarbledReplyException">The event is too long.</exception>
    public Memory<byte> Room()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_end, _scanned, _start) = (_end - _start, _scanned - _start, 0);
        }

        if (_end > MostEventBytes)
        {
            throw new GarbledReplyException($"an event has more than {MostEventBytes} bytes");
        }

        if (_buffer.Length - _end < 4096)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        return _buffer.AsMemory(_end);
    }

    public void Added(int count) => _end += count;

    /// <summary>The next event, if it is there whole.</summary>
    /// <exception cref="GarbledReplyException">Its mark is none, or it has several.</exception>
    public bool TryRead(out MarkedEvent next)
    {
        var end = FindEnd();
        if (end < 0)
        {
            next = default;
            return false;
        }

        var block = _buffer.AsSpan(_start, end - _start);
        _start = _scanned = end;
        next = Split(block);
        return true;
    }

    /// <returns>Where the event ends, with its line breaks; -1 when it has not ended.</returns>
    private int FindEnd()
    {
        for (var at = _scanned; at < _end; at++)
        {
            if (_buffer[at] == LineFeed)
            {
                var isEnd = lines
                    ? !MarkLine.IsMark(_buffer.AsSpan(LineStart(at), at - LineStart(at)))
                    : at > _start && _buffer[at - 1] == LineFeed;
                if (isEnd)
                {
                    return at + 1;
                }
            }
        }

        _scanned = _end;
        return -1;
    }

    private int LineStart(int lineFeed)
    {
        var before = _buffer.AsSpan(_start, lineFeed - _start).LastIndexOf(LineFeed);
        return before < 0 ? _start : _start + before + 1;
    }

    private MarkedEvent Split(ReadOnlySpan<byte> block)
    {
        EventMark? mark = null;
        if (_event.Length < block.Length)
        {
            _event = new byte[Math.Max(block.Length, _event.Length * 2)];
        }

        var length = 0;
        var kind = EventKind.Part;
        while (!block.IsEmpty)
        {
            var end = block.IndexOf(LineFeed);
            var line = block[..end];
            if (MarkLine.IsMark(line))
            {
                mark = mark is null ? MarkLine.Read(line) : throw new GarbledReplyException("an event has several marks");
            }
            else
            {
                kind = kind == EventKind.Part ? KindOf(line) : kind;
                block[..(end + 1)].CopyTo(_event.AsSpan(length));
                length += end + 1;
            }

            block = block[(end + 1)..];
        }

        return new MarkedEvent(_event.AsMemory(0, length), kind, mark);
    }

    private EventKind KindOf(ReadOnlySpan<byte> line)
    {
        if (!lines)
        {
            if (!line.StartsWith("data:"u8))
            {
                return EventKind.Part;
            }

            line = line["data:"u8.Length..].TrimStart((byte)' ');
        }

        return line.SequenceEqual("[DONE]"u8) ? EventKind.Done
            : line.StartsWith("{\"error\":"u8) ? EventKind.Error
            : EventKind.Part;
    }
}
