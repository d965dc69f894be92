using Microsoft.AspNetCore.Http;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>The custom metadata a client sent with a call: its headers without the protocol's own. Keys ending in <c>-bin</c> hold bytes.</summary>
internal sealed class CallMetadata(IHeaderDictionary headers)
{
    private const string BinarySuffix = "-bin";

    /// <summary>The last value of a text key; null when the client sent none.</summary>
    public string? Get(string key)
    {
        if (IsReserved(key) || key.EndsWith(BinarySuffix, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        return headers[key] is [.., var last] ? last : null;
    }

    /// <summary>All values of a <c>-bin</c> key, in order.</summary>
    /// <exception cref="GrpcException">INTERNAL when a value is not base64.</exception>
    public IReadOnlyList<byte[]> GetBinary(string key)
    {
        if (!key.EndsWith(BinarySuffix, StringComparison.OrdinalIgnoreCase) || IsReserved(key))
        {
            return [];
        }

        // Several values may come as several headers or as one, joined by commas.
        return
        [
            .. headers[key]
                .SelectMany(value => (value ?? "").Split(',', StringSplitOptions.TrimEntries))
                .Select(value => DecodeBase64(key, value)),
        ];
    }

    private static bool IsReserved(string key) =>
        key.StartsWith("grpc-", StringComparison.OrdinalIgnoreCase)
        || key.StartsWith(':')
        || key.Equals("te", StringComparison.OrdinalIgnoreCase)
        || key.Equals("content-type", StringComparison.OrdinalIgnoreCase);

    /// <summary>Clients may leave the padding away.</summary>
    private static byte[] DecodeBase64(string key, string value)
    {
        try
        {
            return Convert.FromBase64String(value.PadRight((value.Length + 3) / 4 * 4, '='));
        }
        catch (FormatException exception)
        {
            throw new GrpcException(StatusCode.Internal, $"metadata '{key}' is not base64", exception);
        }
    }
}
