using System.Runtime.CompilerServices;

namespace Cluster.Worker.Engine;

/// <summary>Works on many things at once, a bounded number, and gives the results in order: for whoever has more requests than an engine
/// should hold.</summary>
internal static class OrderedRun
{
    /// <param name="most">Things that are worked on at once.</param>
    /// <param name="run">Is told when the others are given up because one has failed, or because nobody reads on.</param>
    public static async IAsyncEnumerable<TResult> RunAsync<TItem, TResult>(
        IEnumerable<TItem> items, int most, Func<TItem, CancellationToken, Task<TResult>> run,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = new Queue<Task<TResult>>();
        try
        {
            foreach (var item in items)
            {
                if (running.Count == most)
                {
                    yield return await running.Dequeue();
                }

                running.Enqueue(run(item, stop.Token));
            }

            while (running.TryDequeue(out var next))
            {
                yield return await next;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(running.Cast<Task>()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
