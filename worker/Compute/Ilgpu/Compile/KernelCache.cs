using System.Security.Cryptography;
using System.Text;

namespace Cluster.Worker.Compute.Ilgpu.Compile;

/// <summary>Keeps what compiling has made, as files: texts by build and kernel, binaries by text, device and driver. Whatever goes wrong
/// with it, the kernel is compiled anew. Several processes may share a folder.</summary>
/// <param name="folder">Null keeps nothing.</param>
internal sealed class KernelCache(string? folder)
{
    /// <summary>Names a folder instead of <see cref="DefaultFolder"/>; empty keeps nothing.</summary>
    public const string Variable = "CLUSTER_KERNEL_CACHE";

    private const int HashBytes = 32;

    /// <summary>Changes with every build of the kernels, and of what compiles them.</summary>
    public static string ThisBuild { get; } =
        $"{typeof(KernelCache).Module.ModuleVersionId} {typeof(ILGPU.Context).Module.ModuleVersionId}";

    /// <summary>As the environment says.</summary>
    public static KernelCache OfEnvironment() => Environment.GetEnvironmentVariable(Variable) switch
    {
        null => new KernelCache(DefaultFolder),
        "" => new KernelCache(null),
        var named => new KernelCache(named),
    };

    /// <summary><c>cluster/kernels</c> in the user's cache folder; null where there is none.</summary>
    private static string? DefaultFolder
    {
        get
        {
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } named ? named
                : home.Length > 0 ? Path.Combine(home, ".cache")
                : null;
            return cache is null ? null : Path.Combine(cache, "cluster", "kernels");
        }
    }

    /// <summary>What was made for a key before, or what is made now.</summary>
    /// <param name="parts">All that it depends on.</param>
    public byte[] GetOrMake(string extension, ReadOnlySpan<string> parts, Func<byte[]> make)
    {
        if (folder is null)
        {
            return make();
        }

        var key = KeyOf(parts);
        var path = PathOf(extension, key);
        if (Read(path, key) is { } kept)
        {
            return kept;
        }

        var made = make();
        Write(path, key, made);
        return made;
    }

    /// <summary>Forgets an entry that turned out to be of no use.</summary>
    public void Remove(string extension, ReadOnlySpan<string> parts)
    {
        if (folder is not null)
        {
            Try(PathOf(extension, KeyOf(parts)), static path =>
            {
                File.Delete(path);
                return true;
            });
        }
    }

    private static byte[] KeyOf(ReadOnlySpan<string> parts)
    {
        // Lengths keep ("ab", "c") apart from ("a", "bc").
        var text = new StringBuilder();
        foreach (var part in parts)
        {
            text.Append(part.Length).Append(':').Append(part);
        }

        return SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
    }

    private string PathOf(string extension, byte[] key) => Path.Combine(folder!, Convert.ToHexStringLower(key) + extension);

    /// <summary>Null where there is no such file, half of one, one under another's name, or one that somebody else can have written: what
    /// is read here is run on the device.</summary>
    private static byte[]? Read(string path, byte[] key) => Try(path, path =>
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using var file = File.OpenHandle(path);
        if (FileStatus.Of(file) is { } status && !(status.IsFile && status.IsTrusted))
        {
            return null;
        }

        var bytes = new byte[RandomAccess.GetLength(file)];
        return RandomAccess.Read(file, bytes, 0) == bytes.Length && bytes.Length >= HashBytes
            && HashOf(key, bytes.AsSpan(HashBytes)).AsSpan().SequenceEqual(bytes.AsSpan(0, HashBytes))
            ? bytes[HashBytes..]
            : null;
    });

    private void Write(string path, byte[] key, byte[] bytes) => Try(path, path =>
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder!);
        }
        else
        {
            Directory.CreateDirectory(folder!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        WholeFile.Write(path, [.. HashOf(key, bytes), .. bytes], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return true;
    });

    /// <summary>Covers the key, so that files cannot be swapped for each other.</summary>
    private static byte[] HashOf(byte[] key, ReadOnlySpan<byte> bytes) => SHA256.HashData([.. key, .. bytes]);

    /// <summary>A cache that cannot be read or written is as good as none.</summary>
    private static T? Try<T>(string path, Func<string, T?> action)
    {
        try
        {
            return action(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }
}
