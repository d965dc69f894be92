using System.Diagnostics;
using Xunit;

namespace Cluster.Operator.Tests.Controller;

/// <summary>Waits for work on other threads without sleeping; gives up only when something is truly stuck.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static async Task True(Func<bool> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Limit, $"never happened: {what}");
            await Task.Yield();
        }
    }
}
