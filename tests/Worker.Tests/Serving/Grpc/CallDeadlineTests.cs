using System.IO.Pipelines;
using Cluster.Worker.Serving.Grpc;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class CallDeadlineTests
{
    private readonly ManualTime _time = new();
    private readonly DefaultHttpContext _context = new();

    /// <summary>Kestrel's pipes do so when the client has reset the stream. What a timer throws ends the process.</summary>
    [Fact]
    public void A_deadline_passes_quietly_where_the_client_has_reset_the_stream()
    {
        var pipe = new BrokenPipe();
        _context.Features.Set<IRequestBodyPipeFeature>(pipe);
        _context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(Stream.Null));
        using var deadline = new CallDeadline(_context, TimeSpan.FromSeconds(5), _time);

        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.True(deadline.HasPassed);
        Assert.True(pipe.WasWoken);
        Assert.False(deadline.IsClientGone);
        Assert.True(_context.RequestAborted.IsCancellationRequested);
    }

    [Fact]
    public void A_call_that_has_ended_leaves_the_context_as_it_was()
    {
        var before = _context.RequestAborted;
        new CallDeadline(_context, TimeSpan.FromSeconds(5), _time).Dispose();

        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(before, _context.RequestAborted);
        Assert.False(before.IsCancellationRequested);
    }

    private sealed class BrokenPipe : PipeReader, IRequestBodyPipeFeature
    {
        public PipeReader Reader => this;

        public bool WasWoken { get; private set; }

        public override void CancelPendingRead()
        {
            WasWoken = true;
            throw new IOException("The client reset the request stream.");
        }

        public override void AdvanceTo(SequencePosition consumed) => throw new NotSupportedException();

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => throw new NotSupportedException();

        public override void Complete(Exception? exception = null)
        {
        }

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public override bool TryRead(out ReadResult result) => throw new NotSupportedException();
    }
}
