using System.Buffers;

namespace Cluster.Operator.Gateway.Http;

/// <summary>Reads bodies whole, because a request that loses its replica is sent again. All bodies in work together are bounded: what
/// waits in queues holds its body.</summary>
/// <param name="mostBytes">The largest body.</param>
/// <param name="mostInflightBytes">All bodies together, not counting the first 64 KiB of each.</param>
internal sealed class RequestBytes(int mostBytes, long mostInflightBytes)
{
    private const int FreeBytes = 64 << 10;

    private readonly long _mostInflight = mostInflightBytes;
    private long _inflight;

    /// <summary>Reads a body. What it holds counts until the lease is disposed.</summary>
    /// <exception cref="GatewayException">It is too large, or all together are.</exception>
    public async Task<BodyLease> ReadAsync(Stream body, long? announced, CancellationToken cancellationToken)
    {
        if (announced > mostBytes)
        {
            throw TooLarge();
        }

        // What is announced is only believed as far as it is free: clients that announce much and send nothing hold little.
        var lease = new BodyLease(this);
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(announced ?? 0, 4096, FreeBytes) + 1);
        try
        {
            var length = 0;
            while (true)
            {
                var read = await body.ReadAsync(buffer.AsMemory(length), cancellationToken);
                if (read == 0)
                {
                    break;
                }

                length += read;
                if (length > mostBytes)
                {
                    throw TooLarge();
                }

                lease.Charge(length);
                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }

            lease.Bytes = buffer.AsSpan(0, length).ToArray();
            return lease;
        }
        catch
        {
            lease.Dispose();
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private GatewayException TooLarge() => new(
        StatusCodes.Status413PayloadTooLarge,
        $"the request is larger than the {mostBytes} bytes that this gateway takes (--max-request-bytes)",
        "invalid_request_error", code: "request_too_large");

    /// <summary>A body, counted as long as it is held.</summary>
    internal sealed class BodyLease(RequestBytes owner) : IDisposable
    {
        private long _charged;

        public byte[] Bytes { get; set; } = [];

        /// <exception cref="GatewayException">All bodies together are too large.</exception>
        public void Charge(int length)
        {
            var more = Math.Max(0, length - FreeBytes) - _charged;
            if (more <= 0)
            {
                return;
            }

            _charged += more;
            if (Interlocked.Add(ref owner._inflight, more) > owner._mostInflight)
            {
                throw GatewayException.TooMany(
                    "the requests in work are too large together (--max-inflight-request-bytes)", "too_many_request_bytes",
                    TimeSpan.FromSeconds(1));
            }
        }

        public void Dispose() => Interlocked.Add(ref owner._inflight, -Interlocked.Exchange(ref _charged, 0));
    }
}
