namespace Cluster.Worker.Serving.Limits;

/// <summary>A request's body that charges what is read of it to a <see cref="BodyBudget"/>, and gives it back when it is disposed
/// of.</summary>
internal sealed class ChargedBody(Stream body, BodyBudget budget) : Stream
{
    private long _read;
    private long _charged;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await body.ReadAsync(buffer, cancellationToken);
        Charge(count);
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count)
    {
        var read = body.Read(buffer, offset, count);
        Charge(read);
        return read;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>The stream below is the server's own.</summary>
    public override ValueTask DisposeAsync()
    {
        budget.GiveBack(Interlocked.Exchange(ref _charged, 0));
        return ValueTask.CompletedTask;
    }

    private void Charge(int count)
    {
        _read += count;
        var due = _read - BodyBudget.FreeBytes - _charged;
        if (due > 0)
        {
            budget.Take(due);
            _charged += due;
        }
    }
}
