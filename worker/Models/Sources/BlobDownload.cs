using System.Net;

namespace Cluster.Worker.Models.Sources;

/// <summary>Brings one file's content into the cache: continues where an earlier attempt ended, and lets nobody see it before size and hash
/// are right. Called by <see cref="HubModelStore"/>, several at once; calls <see cref="HubClient"/>.
/// <code>
/// 1  take the content's lock        somebody else may be at it
/// 2  is it there now?               then they were
/// 3  ask for the rest, append       again from there when the connection breaks (HubRetry)
/// 4  compare the hash               wrong: throw it away, once more from the start
/// 5  rename to its hash
/// </code></summary>
internal sealed class BlobDownload(
    HubClient client, HubCache cache, HubRetry retry, HubOptions options, TimeProvider time, Func<TimeSpan, CancellationToken, Task> pause,
    Action<string> log)
{
    private const int BufferBytes = 256 << 10;
    private const int MaxDiscards = 1;

    /// <param name="file">With size and hash known.</param>
    /// <param name="report">Told how many bytes of the content are there.</param>
    /// <exception cref="HubException">It cannot be had, or the disk is full.</exception>
    /// <exception cref="HubFormatException">What came is not what was promised.</exception>
    public async Task RunAsync(HubModel model, string commit, HubFile file, Action<long> report, CancellationToken cancellationToken)
    {
        var (blob, size) = (file.Blob!, file.Size!.Value);
        using var held = await CacheLock.AcquireAsync(
            cache.LockOf(model, blob), () => log($"waiting for another download of '{file.Name}' to end"), pause, cancellationToken);
        if (cache.HasBlob(model, blob, size))
        {
            return;
        }

        var path = cache.PartialOf(model, blob);
        var address = client.AddressOf(model, commit, file.Name);
        for (var discarded = 0; ; discarded++)
        {
            string actual;
            using (var partial = await PartialBlob.OpenAsync(path, blob, size, cancellationToken))
            {
                try
                {
                    actual = await CompleteAsync(partial, model, commit, file, report, cancellationToken);
                }
                catch (IOException exception) when (DiskFull.Is(exception))
                {
                    var left = DiskFull.Explain(path, size - partial.Length, exception);
                    throw new HubException(
                        $"{address}: '{file.Name}' stopped after {partial.Length} of {size} bytes: {left}; make room, or choose another "
                        + "disk with --download-dir or HF_HOME. The next start goes on from there", exception);
                }
            }

            if (actual == blob.Hex)
            {
                File.Move(path, cache.BlobOf(model, blob), overwrite: true);
                return;
            }

            File.Delete(path);
            report(0);
            var reason = $"the content's {blob.Algorithm} is {actual}; the hub lists {blob.Hex}";
            if (discarded == MaxDiscards)
            {
                throw new HubFormatException(address, $"{reason}; downloaded {MaxDiscards + 1} times and discarded");
            }

            log($"{address}: {reason}; downloading it again");
        }
    }

    /// <returns>The hash of the whole content.</returns>
    private async Task<string> CompleteAsync(
        PartialBlob partial, HubModel model, string commit, HubFile file, Action<long> report, CancellationToken cancellationToken)
    {
        long received = 0;
        await retry.RunAsync(
            async () =>
            {
                await ContinueAsync(partial, model, commit, file, bytes => received += bytes, report, cancellationToken);
                return partial.Length;
            },
            () => received,
            maxRetries: null,
            cancellationToken);
        return partial.Finish();
    }

    private async Task ContinueAsync(
        PartialBlob partial, HubModel model, string commit, HubFile file, Action<int> received, Action<long> report,
        CancellationToken cancellationToken)
    {
        var size = file.Size!.Value;
        report(partial.Length);
        if (partial.Length == size)
        {
            return;
        }

        var address = client.AddressOf(model, commit, file.Name);
        using var stall = new StallTimer(options.StallTimeout, time, cancellationToken);
        using var response = await client.OpenAsync(model, commit, file.Name, partial.Length, stall);
        Position(partial, response.Message, size, address);
        report(partial.Length);

        var buffer = new byte[(int)Math.Min(BufferBytes, size)];
        while (partial.Length < size)
        {
            var wanted = buffer.AsMemory(0, (int)Math.Min(buffer.Length, size - partial.Length));
            var read = await ReadAsync(response.Message.Content, wanted, address, stall);
            if (read == 0)
            {
                throw new HubException($"{address}: ended after {partial.Length} of {size} bytes") { IsTransient = true };
            }

            stall.Restart();
            await partial.AppendAsync(wanted[..read], cancellationToken);
            received(read);
            report(partial.Length);
        }
    }

    /// <summary>Makes the partial file end where the answer begins. No <c>If-Range</c> is needed: the content is named by its
    /// hash.</summary>
    private static void Position(PartialBlob partial, HttpResponseMessage response, long size, string address)
    {
        var content = response.Content.Headers;
        switch (response.StatusCode)
        {
            case HttpStatusCode.PartialContent
                when content.ContentRange is { HasRange: true } range && range.From == partial.Length && (range.Length ?? size) == size:
                return;

            case HttpStatusCode.PartialContent:
                throw new HubFormatException(
                    address, $"answered with the range '{content.ContentRange}'; asked from byte {partial.Length} of {size}");

            case HttpStatusCode.OK when (content.ContentLength ?? size) == size:
                partial.Reset();
                return;

            case HttpStatusCode.OK:
                throw new HubFormatException(address, $"has {content.ContentLength} bytes; the hub lists {size}");

            case HttpStatusCode.RequestedRangeNotSatisfiable:
                var asked = partial.Length;
                partial.Reset();
                throw new HubException($"{address}: cannot go on at byte {asked} of {size}") { IsTransient = true };

            default:
                throw new HubFormatException(address, $"answered {(int)response.StatusCode}; expected 200 or 206");
        }
    }

    private async Task<int> ReadAsync(HttpContent content, Memory<byte> buffer, string address, StallTimer stall)
    {
        try
        {
            // The same stream each time: HttpContent hands out one.
            var body = await content.ReadAsStreamAsync(stall.Token);
            return await body.ReadAsync(buffer, stall.Token);
        }
        catch (Exception) when (stall.Stalled)
        {
            throw HubErrors.OfStall(address, options.StallTimeout);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw HubErrors.OfConnection(address, exception);
        }
    }
}
