namespace Cluster.Operator.Kubernetes;

/// <summary>Cuts a byte stream into lines of bounded length. One buffer, grown as needed; every byte is looked at once.</summary>
internal sealed class LineReader(Stream stream, int maxLineBytes)
{
    private byte[] _buffer = new byte[16 << 10];
    private int _start;
    private int _scanned;
    private int _end;

    /// <summary>The next line without its line feed, valid until the next call; null when the stream ended after a whole line.</summary>
    /// <exception cref="EndOfStreamException">The stream ended inside a line.</exception>
    /// <exception cref="InvalidDataException">A line is longer than allowed.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var offset = _buffer.AsSpan(_scanned, _end - _scanned).IndexOf((byte)'\n');
            if (offset >= 0)
            {
                ReadOnlyMemory<byte> line = _buffer.AsMemory(_start, _scanned + offset - _start);
                _start = _scanned += offset + 1;
                return line;
            }

            _scanned = _end;
            if (_end - _start > maxLineBytes)
            {
                throw new InvalidDataException($"a line is longer than {maxLineBytes} bytes");
            }

            MakeRoom();
            var read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            if (read == 0)
            {
                return _end == _start ? null : throw new EndOfStreamException($"the stream ended {_end - _start} bytes into a line");
            }

            _end += read;
        }
    }

    private void MakeRoom()
    {
        if (_start > 0)
        {
            Buffer.BlockCopy(_buffer, _start, _buffer, 0, _end - _start);
            _scanned -= _start;
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
    }
}
