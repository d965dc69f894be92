using System.Security.Cryptography;
using System.Text;

namespace Cluster.Operator.Api;

/// <summary>The secrets between gateway, operator and workers, all derived from one master key that gateway and operator share. The
/// gateway derives a worker's key by itself, so it never reads Secrets; a worker knows its own key alone.</summary>
/// <remarks>HMAC-SHA256 (RFC 2104), in lower-case hexadecimal digits. A deployment's key holds its uid: one that was deleted and made again
/// under the same name has another key.</remarks>
internal static class GatewayKey
{
    /// <summary>Environment variable of the worker that holds its key.</summary>
    public const string Variable = "CLUSTER_GATEWAY_KEY";

    /// <summary>HTTP header and gRPC metadata that carry a key.</summary>
    public const string Header = "x-cluster-gateway-key";

    /// <summary>Name of the key in the Secret of a deployment, and of the master key in its own.</summary>
    public const string SecretKey = "key";

    /// <summary>Fewer bytes could be guessed.</summary>
    public const int MinMasterBytes = 16;

    /// <summary>The key of one deployment's workers: 64 digits.</summary>
    /// <param name="master">As <see cref="ReadMaster"/> returns it.</param>
    /// <param name="uid">The deployment's <c>metadata.uid</c>.</param>
    public static string Derive(ReadOnlySpan<byte> master, string @namespace, string name, string uid) =>
        Hash(master, $"{@namespace}/{name}/{uid}");

    /// <summary>The key by which the operator asks a gateway for its demand. It has no slash, so no deployment has the same.</summary>
    public static string DeriveDemand(ReadOnlySpan<byte> master) => Hash(master, "demand");

    /// <summary>Name of the Secret that holds a deployment's key.</summary>
    public static string SecretOf(string deployment) => deployment + "-gateway-key";

    /// <summary>Whether the given key is the right one. Takes as long whatever the given one is.</summary>
    public static bool Matches(string? given, string right)
    {
        // Hashed first: FixedTimeEquals returns at once where lengths differ.
        Span<byte> left = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(given ?? ""), left);
        SHA256.HashData(Encoding.UTF8.GetBytes(right), expected);
        return CryptographicOperations.FixedTimeEquals(left, expected) && given is not null;
    }

    /// <summary>A new master key for those who have none, as local mode: 64 digits, as it would stand in a file.</summary>
    public static byte[] NewMaster() => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)));

    /// <summary>The master key in a file: its bytes without white space at either end, as editors and <c>echo</c> leave it.</summary>
    /// <exception cref="InvalidDataException">The key is too short.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static byte[] ReadMaster(string file)
    {
        var bytes = RegularFile.ReadBytes(file, FileKind.Secret);
        var key = bytes.AsSpan().Trim(" \t\r\n"u8).ToArray();
        return key.Length >= MinMasterBytes
            ? key
            : throw new InvalidDataException(
                $"{file}: a master key of {key.Length} bytes could be guessed; it needs at least {MinMasterBytes}, such as those of "
                + "openssl rand -hex 32");
    }

    private static string Hash(ReadOnlySpan<byte> master, string message) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(master, Encoding.UTF8.GetBytes(message)));
}
