using System.Security.Cryptography;
using System.Text;

namespace Cluster.Worker.Serving;

/// <summary>The keys a caller may show. Only their hashes are kept, and a comparison takes the same time wherever two keys differ and
/// however many there are. Asked by <see cref="Authentication"/>.</summary>
internal sealed class ApiKeys
{
    private const string Scheme = "Bearer ";

    /// <summary>Longest key taken; a header beyond it cannot be one and is not hashed.</summary>
    private const int MaxLength = 1024;

    private readonly byte[][] _digests;

    /// <param name="keys">Each of visible ASCII characters, as a bearer token must be (RFC 6750 §2.1).</param>
    /// <exception cref="ArgumentException">A key is empty, too long or cannot be sent in a header. The message does not hold
    /// it.</exception>
    public ApiKeys(IEnumerable<string> keys)
    {
        _digests = [.. keys.Select((key, index) => IsUsable(key)
            ? SHA256.HashData(Encoding.ASCII.GetBytes(key))
            : throw new ArgumentException(
                $"API key {index + 1} is not usable: a key is 1 to {MaxLength} visible ASCII characters without spaces"))];
    }

    /// <summary>No keys: everyone may call.</summary>
    public static ApiKeys None { get; } = new([]);

    public bool IsEmpty => _digests.Length == 0;

    /// <param name="authorization">Value of the <c>authorization</c> header or metadata.</param>
    public bool Accept(string? authorization) => Identify(authorization) is not null;

    /// <summary>A name for the key that a caller shows, the same for every request with it; null when it is none of these.</summary>
    /// <param name="authorization">Value of the <c>authorization</c> header or metadata.</param>
    public string? Identify(string? authorization)
    {
        if (authorization is null || !authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var key = authorization.AsSpan(Scheme.Length).Trim(' ');
        if (key.Length is 0 or > MaxLength)
        {
            return null;
        }

        Span<byte> text = stackalloc byte[Encoding.UTF8.GetMaxByteCount(MaxLength)];
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..Encoding.UTF8.GetBytes(key, text)], digest);
        var accepted = false;
        foreach (var known in _digests)
        {
            accepted |= CryptographicOperations.FixedTimeEquals(known, digest);
        }

        return accepted ? Convert.ToHexString(digest) : null;
    }

    private static bool IsUsable(string key) => key.Length is > 0 and <= MaxLength && key.All(character => character is > ' ' and <= '~');
}
