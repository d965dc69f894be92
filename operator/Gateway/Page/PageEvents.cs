using System.Text.Json;
using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Traffic;

namespace Cluster.Operator.Gateway.Page;

/// <summary><c>/page/events</c>: what the page shows, as server-sent events, for as long as a client stays.
/// <code>
/// event: cluster   the whole view, when it differs from the last one sent
/// event: traffic   slots since the last one sent, and the requests that changed; once a second while there is something
/// : (comment)      every 15 seconds of silence, so that a dead connection is found
/// </code></summary>
/// <remarks>A client that reads slowly misses states, never the latest one: nothing is queued for it. Called by
/// <see cref="GatewayPage"/>.</remarks>
internal sealed class PageEvents(ClusterWatch cluster, TrafficLog traffic, TimeProvider time)
{
    /// <summary>Pages that are open at once; one more is told to come again.</summary>
    public const int MostClients = 64;

    /// <summary>A rollout changes objects many times a second; a person sees a few of them.</summary>
    private static readonly TimeSpan Coalescing = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan TrafficInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(15);

    private int _clients;

    public async Task ServeAsync(HttpContext context, CancellationToken stopping)
    {
        if (Interlocked.Increment(ref _clients) > MostClients)
        {
            Interlocked.Decrement(ref _clients);
            throw GatewayException.Unavailable(
                $"{MostClients} pages are open on this gateway already; close one", TimeSpan.FromSeconds(10));
        }

        try
        {
            cluster.Begin();
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-store";

            // A proxy in front that gathers answers would show the page nothing for minutes.
            context.Response.Headers["X-Accel-Buffering"] = "no";
            await StreamAsync(context.Response.Body, ending.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The page was closed, or the gateway ends.
        }
        finally
        {
            Interlocked.Decrement(ref _clients);
        }
    }

    private async Task StreamAsync(Stream output, CancellationToken cancellationToken)
    {
        Sent sent = new();
        var lastWrite = time.GetTimestamp();
        while (true)
        {
            var changes = cluster.Changes;
            var wrote = false;
            if (cluster.Current() is var view && view.Number != sent.View)
            {
                await WriteAsync(output, "cluster", view.Json, cancellationToken);
                (sent.View, wrote) = (view.Number, true);
            }

            if (Traffic(sent) is { } json)
            {
                await WriteAsync(output, "traffic", json, cancellationToken);
                wrote = true;
            }

            if (!wrote && time.GetElapsedTime(lastWrite) > Silence)
            {
                await output.WriteAsync(": still here\n\n"u8.ToArray(), cancellationToken);
                wrote = true;
            }

            if (wrote)
            {
                await output.FlushAsync(cancellationToken);
                lastWrite = time.GetTimestamp();
            }

            await Task.Delay(Coalescing, time, cancellationToken);
            using var woken = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(cluster.ChangedAsync(changes), Task.Delay(TrafficInterval - Coalescing, time, woken.Token));
            await woken.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <returns>Null when nothing happened and no slot has begun.</returns>
    private byte[]? Traffic(Sent sent)
    {
        // The slot that was the last one has gone on since.
        var snapshot = traffic.Snapshot(sent.Slot ?? 0);
        var journal = traffic.Journal(sent.Journal);
        var lastSlot = snapshot.FirstSlot + snapshot.Total.Started.Count - 1;
        if (sent.Slot == lastSlot && journal.Count == 0 && snapshot.Running == 0)
        {
            return null;
        }

        sent.Slot = lastSlot;
        sent.Journal = journal.Count > 0 ? Math.Max(sent.Journal, journal.Max(entry => entry.Version)) : sent.Journal;
        return JsonSerializer.SerializeToUtf8Bytes(new { Traffic = snapshot, Journal = journal }, PageJson.Options);
    }

    private static async Task WriteAsync(Stream output, string name, ReadOnlyMemory<byte> json, CancellationToken cancellationToken)
    {
        await output.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"event: {name}\ndata: "), cancellationToken);
        await output.WriteAsync(json, cancellationToken);
        await output.WriteAsync("\n\n"u8.ToArray(), cancellationToken);
    }

    /// <summary>What one client has.</summary>
    private sealed class Sent
    {
        public long View { get; set; } = -1;

        public long? Slot { get; set; }

        public long Journal { get; set; }
    }
}
