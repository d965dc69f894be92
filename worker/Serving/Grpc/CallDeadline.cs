using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>When a call must have ended: its client's <c>grpc-timeout</c> or the server's own limit, whichever is earlier. Until then
/// <see cref="HttpContext.RequestAborted"/>, which handlers see as the call's token, is also cancelled by the deadline.</summary>
/// <remarks>Started by <see cref="GrpcGate"/> in place of the library's deadline, which passes over a timeout that it cannot read or that
/// has passed already, knows no limit of the server, and measures by the machine's clock only.</remarks>
internal sealed class CallDeadline : IDisposable
{
    /// <summary>Longest delay a timer takes (49 days). A deadline beyond it is none.</summary>
    private static readonly TimeSpan LongestTimer = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    private readonly HttpContext _context;
    private readonly CancellationToken _clientGone;
    private readonly CancellationTokenSource? _passed;
    private readonly CancellationTokenSource? _either;
    private readonly CancellationTokenRegistration _wake;

    /// <param name="timeout">From now on; null for no deadline.</param>
    public CallDeadline(HttpContext context, TimeSpan? timeout, TimeProvider time)
    {
        _context = context;
        _clientGone = context.RequestAborted;
        if (timeout is not { } limited || limited > LongestTimer)
        {
            return;
        }

        _passed = new CancellationTokenSource(limited, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_clientGone, _passed.Token);
        context.RequestAborted = _either.Token;

        // The library reads a request and flushes a response without the call's token; both may wait for a client that does nothing.
        _wake = _passed.Token.UnsafeRegister(
            static pipes =>
            {
                var (request, response) = ((PipeReader, PipeWriter))pipes!;
                Try(request.CancelPendingRead);
                Try(response.CancelPendingFlush);
            },
            (context.Request.BodyReader, context.Response.BodyWriter));
    }

    public bool HasPassed => _passed is { IsCancellationRequested: true };

    /// <summary>Whether there is nobody left to answer.</summary>
    public bool IsClientGone => _clientGone.IsCancellationRequested;

    /// <summary>The deadline of a call that is being handled.</summary>
    public static CallDeadline Of(HttpContext context) => context.Features.GetRequiredFeature<CallDeadline>();

    /// <summary>Kestrel's pipes throw here what reading would have thrown, such as the reset of a client whose own deadline has passed at
    /// the same moment. Nobody waits then, and an exception in a timer would end the process.</summary>
    private static void Try(Action wake)
    {
        try
        {
            wake();
        }
        catch (Exception exception) when (exception is IOException or InvalidOperationException or OperationCanceledException)
        {
        }
    }

    public void Dispose()
    {
        _wake.Dispose();
        _context.RequestAborted = _clientGone;
        _either?.Dispose();
        _passed?.Dispose();
    }
}
