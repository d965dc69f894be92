namespace Cluster.Tests.Shared;

/// <summary>
/// Waits for what other threads or processes bring about and no event tells: asks again and again, with a pause in between so that
/// asking does not take the processor from whoever is to answer. Gives up only when something is truly stuck.
/// </summary>
internal static class Eventually
{
    /// <summary>Far longer than anything takes on a loaded machine; a test never passes because of it.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(50);

    /// <param name="what">What is waited for, for the message.</param>
    /// <exception cref="TimeoutException">It never was.</exception>
    public static Task True(Func<bool> condition, string what) => True(() => Task.FromResult(condition()), what);

    /// <inheritdoc cref="True(Func{bool}, string)"/>
    public static async Task True(Func<Task<bool>> condition, string what, TimeSpan? limit = null)
    {
        if (!await IsTrueAsync(condition, limit))
        {
            throw new TimeoutException($"never happened: {what}");
        }
    }

    /// <returns>Whether it came about, for tests that say more than a name when it did not.</returns>
    public static Task<bool> IsTrueAsync(Func<bool> condition) => IsTrueAsync(() => Task.FromResult(condition()));

    /// <inheritdoc cref="IsTrueAsync(Func{bool})"/>
    public static async Task<bool> IsTrueAsync(Func<Task<bool>> condition, TimeSpan? limit = null)
    {
        var started = TimeProvider.System.GetTimestamp();
        var pause = TimeSpan.FromMilliseconds(1);
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > (limit ?? Limit))
            {
                return false;
            }

            await Task.Delay(pause);
            pause = pause < LongestPause ? pause * 2 : LongestPause;
        }

        return true;
    }

    /// <summary>Waits for a task's end, good or bad, but only so long.</summary>
    /// <returns>Whether it has ended.</returns>
    public static async Task<bool> EndsAsync(Task task, TimeSpan limit)
    {
        await task.WaitAsync(limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return task.IsCompleted;
    }
}
