using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Cluster.Worker.Models.Sources;

/// <summary>What a file's content is called on the hub, which is its ETag and its name in the cache: the SHA-256 of a large file (LFS),
/// git's SHA-1 of a small one.</summary>
internal sealed record BlobId
{
    private const int Sha1Length = 40;
    private const int Sha256Length = 64;

    private BlobId(string hex) => Hex = hex;

    /// <summary>40 or 64 lower-case hexadecimal digits.</summary>
    public string Hex { get; }

    /// <summary>How the hash is called in messages.</summary>
    public string Algorithm => Hex.Length == Sha256Length ? "SHA-256" : "git blob SHA-1";

    public override string ToString() => Hex;

    /// <param name="text">Digits, or an ETag with its quotes and a weakness mark.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out BlobId? id)
    {
        var hex = text?.StartsWith("W/", StringComparison.Ordinal) == true ? text[2..].Trim('"') : text?.Trim('"');
        id = hex is { Length: Sha1Length or Sha256Length } && hex.All(char.IsAsciiHexDigitLower) ? new BlobId(hex) : null;
        return id is not null;
    }

    /// <summary>A hasher that has seen whatever comes before the content.</summary>
    /// <param name="size">Bytes of the content, which git hashes along with it.</param>
    [SuppressMessage(
        "Security", "CA5350", Justification = "git names its blobs by SHA-1; this is a check against accidents, not a signature.")]
    public IncrementalHash CreateHasher(long size)
    {
        if (Hex.Length == Sha256Length)
        {
            return IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        }

        var hasher = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hasher.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {size}\0")));
        return hasher;
    }
}
