using System.Security.Cryptography;
using System.Text;

namespace Cluster.Worker.Serving.Relaying;

/// <summary>The secret that this worker's gateway shows. Only its hash is kept, and a comparison takes the same time wherever two keys
/// differ. Asked by <see cref="GatewayCheck"/>.</summary>
internal sealed class GatewayKey
{
    /// <summary>Longest key taken; a header beyond it cannot be one and is not hashed.</summary>
    private const int MaxLength = 1024;

    private readonly byte[] _digest;

    /// <param name="key">Visible ASCII characters.</param>
    /// <exception cref="ArgumentException">The key is empty, too long or cannot be sent in a header. The message does not hold
    /// it.</exception>
    public GatewayKey(string key)
    {
        _digest = key.Length is > 0 and <= MaxLength && key.All(character => character is > ' ' and <= '~')
            ? SHA256.HashData(Encoding.ASCII.GetBytes(key))
            : throw new ArgumentException(
                $"the gateway key is not usable: a key is 1 to {MaxLength} visible ASCII characters without spaces");
    }

    /// <param name="shown">What a request shows; null for nothing.</param>
    public bool Accept(string? shown)
    {
        if (shown is not { Length: > 0 and <= MaxLength })
        {
            return false;
        }

        Span<byte> text = stackalloc byte[Encoding.UTF8.GetMaxByteCount(MaxLength)];
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..Encoding.UTF8.GetBytes(shown, text)], digest);
        return CryptographicOperations.FixedTimeEquals(_digest, digest);
    }
}
