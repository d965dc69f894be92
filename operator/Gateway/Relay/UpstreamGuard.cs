namespace Cluster.Operator.Gateway.Relay;

/// <summary>Makes all that can go wrong with a replica into one exception.</summary>
internal static class UpstreamGuard
{
    /// <exception cref="AttemptFailedException">The replica failed.</exception>
    public static async Task RunAsync(SilenceWatch watch, Func<Task> attempt)
    {
        try
        {
            await attempt();
        }
        catch (GarbledReplyException garbled)
        {
            throw new AttemptFailedException(FailureReason.Garbled(garbled.Message));
        }
        catch (OperationCanceledException) when (watch.IsSilent)
        {
            throw new AttemptFailedException(FailureReason.Silent);
        }
        catch (OperationCanceledException late) when (!watch.Token.IsCancellationRequested)
        {
            throw new AttemptFailedException(FailureReason.Unreachable(late.InnerException?.Message ?? late.Message));
        }
        catch (HttpRequestException lost)
        {
            throw new AttemptFailedException(
                lost.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                    ? FailureReason.Unreachable(lost.Message)
                    : FailureReason.Broken(lost.Message));
        }
        catch (UpstreamLostException lost)
        {
            throw new AttemptFailedException(FailureReason.Broken(lost.Message));
        }
    }
}
