using System.IO.Pipelines;

namespace Cluster.Operator.Local.ApiServer.Spdy;

/// <summary>One stream that a client has opened. Reading ends when the client has closed its half; <see cref="FinishAsync"/> closes
/// ours.</summary>
internal sealed class SpdyStream : Stream
{
    // What a client may send ahead of its reader. Beyond that the whole connection waits: SPDY's own windows are used by no client here.
    private const int BufferBytes = 256 * 1024;

    // Whoever leaves the stream completes what the connection's loop writes to.
    private readonly Lock _gate = new();
    private readonly SpdyConnection _connection;
    private readonly Pipe _received = new(new PipeOptions(pauseWriterThreshold: BufferBytes, resumeWriterThreshold: BufferBytes / 2));
    private readonly Stream _reader;
    private int _finished;
    private bool _isClosed;

    public SpdyStream(SpdyConnection connection, int id, IReadOnlyDictionary<string, string> headers)
    {
        _connection = connection;
        Id = id;
        Headers = headers;
        _reader = _received.Reader.AsStream(leaveOpen: true);
    }

    public int Id { get; }

    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>Cancelled when the client resets the stream or goes.</summary>
    public CancellationToken Aborted => _aborted.Token;

    private readonly CancellationTokenSource _aborted = new();

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Takes what has come. Drops it once the client has closed its half, or nobody wants it.</summary>
    public ValueTask<FlushResult> TakeAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return _isClosed ? default : _received.Writer.WriteAsync(bytes, cancellationToken);
        }
    }

    /// <summary>The client has closed its half.</summary>
    public void EndOfInput()
    {
        lock (_gate)
        {
            _isClosed = true;
            _received.Writer.Complete();
        }
    }

    /// <summary>Nothing more will come, and nothing more is wanted.</summary>
    public void Abort()
    {
        EndOfInput();

        // The connection may wait for a reader that will not come.
        _received.Writer.CancelPendingFlush();
        _aborted.Cancel();
    }

    /// <summary>Closes our half.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _finished, 1) == 0)
        {
            await _connection.SendDataAsync(Id, ReadOnlyMemory<byte>.Empty, isLast: true, cancellationToken);
        }
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        _reader.ReadAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_finished == 1 || _aborted.IsCancellationRequested)
        {
            throw new IOException("the stream is closed");
        }

        for (var rest = buffer; rest.Length > 0; rest = rest[Math.Min(rest.Length, SpdyConnection.MaxDataBytes)..])
        {
            await _connection.SendDataAsync(
                Id, rest[..Math.Min(rest.Length, SpdyConnection.MaxDataBytes)], isLast: false, cancellationToken);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
