using System.Globalization;
using Cluster.Worker.Engine;
using Microsoft.AspNetCore.Http.Features;

namespace Cluster.Worker.Serving.Http;

/// <summary>When a request must have ended: the server's <c>--request-timeout</c> or the caller's <c>X-Request-Timeout</c>, whichever is
/// earlier. At that time its generations are aborted in the engine, so their blocks are free even while the client does not read.
/// Started by <see cref="HttpEndpoints"/>, kept by <see cref="Choices"/>.</summary>
internal sealed class RequestDeadline : IDisposable
{
    public const string Header = "X-Request-Timeout";

    /// <summary>Longest delay a timer takes (49 days). A timeout beyond it is none.</summary>
    private static readonly TimeSpan LongestTimer = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    private readonly CancellationTokenSource? _passed;
    private readonly TimeSpan _timeout;
    private readonly ServingState _state;

    private RequestDeadline(TimeSpan? timeout, ServingState state, TimeProvider time)
    {
        _state = state;
        _timeout = timeout ?? Timeout.InfiniteTimeSpan;
        _passed = timeout is { } limited && limited <= LongestTimer ? new CancellationTokenSource(limited, time) : null;
    }

    private bool HasPassed => _passed is { IsCancellationRequested: true };

    /// <summary>The deadline of the request that is being handled.</summary>
    public static RequestDeadline Of(HttpContext context) => context.Features.GetRequiredFeature<RequestDeadline>();

    /// <summary>Middleware that starts each request's clock.</summary>
    /// <param name="limit">The server's own limit; null for none.</param>
    /// <param name="state">Says when the server's own end is the deadline.</param>
    public static async Task RunAsync(HttpContext context, RequestDelegate next, TimeSpan? limit, ServingState state, TimeProvider time)
    {
        var asked = Asked(context.Request.Headers[Header].ToString());
        using var deadline = new RequestDeadline(asked is { } own && !(own > limit) ? own : limit, state, time);
        context.Features.Set(deadline);
        await next(context);
    }

    /// <summary>Aborts these requests when the time comes; at once when it has come. To be called when they have been handed to the
    /// engine.</summary>
    public IDisposable? Abort(IEngine engine, IReadOnlyList<GenerationRequest> requests) => _passed?.Token.UnsafeRegister(
        _ =>
        {
            foreach (var request in requests)
            {
                engine.Abort(request.RequestId);
            }
        },
        null);

    /// <summary>For answers that are sent whole or have not begun: half an answer must not look like one.</summary>
    /// <exception cref="ApiException">504 when the deadline ended the output, 503 when shutdown did.</exception>
    public void ThrowIfEnded(TokenOutput? output)
    {
        if (output is not { FinishReason: FinishReason.Abort })
        {
            return;
        }

        if (HasPassed)
        {
            throw new ApiException(
                StatusCodes.Status504GatewayTimeout,
                $"the request was not finished within its {_timeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s "
                + $"({output.CompletionTokens} tokens had been generated)",
                "timeout_error",
                code: "deadline_exceeded");
        }

        if (_state.IsDraining)
        {
            throw ApiException.Unavailable(
                $"the server shut down before the request was finished ({output.CompletionTokens} tokens had been generated)");
        }
    }

    /// <summary>Whether an output ended because the server does, not the request.</summary>
    public bool IsEndOfServer(TokenOutput output) => output.FinishReason == FinishReason.Abort && !HasPassed && _state.IsDraining;

    public void Dispose() => _passed?.Dispose();

    /// <exception cref="ApiException">The header is not a number of seconds above 0.</exception>
    private static TimeSpan? Asked(string header)
    {
        if (header.Length == 0)
        {
            return null;
        }

        if (!double.TryParse(header, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
            || !double.IsFinite(seconds) || seconds <= 0)
        {
            throw ApiException.BadRequest(
                $"the header {Header} is '{(header.Length > 40 ? header[..40] + "…" : header)}'; it must be a number of seconds above 0",
                Header);
        }

        return seconds < LongestTimer.TotalSeconds ? TimeSpan.FromSeconds(seconds) : LongestTimer;
    }
}
