namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Waits for what only a request can tell: asks again and again until it is so.</summary>
internal static class Patience
{
    /// <summary>Between two questions, so that asking does not take the processor from who is to answer.</summary>
    public static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <exception cref="TimeoutException">It never was.</exception>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!await condition())
        {
            if (limit.IsCancellationRequested)
            {
                throw new TimeoutException($"never happened: {what}");
            }

            await Task.Delay(Poll);
        }
    }
}
