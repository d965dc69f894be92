using System.Text.Json;

namespace Cluster.Worker.Compute.Ilgpu.Compile.Amd;

/// <summary>A folder of code objects that were built ahead: <c>DIR/gfx942/NAME.co</c>, and <c>DIR/kernels.json</c>, which says of which
/// build of this program. Written by <c>kernels build</c>, read where kernels are launched.</summary>
internal sealed class PrebuiltKernels
{
    /// <summary>Names a folder instead of <c>kernels</c> beside the program.</summary>
    public const string Variable = "CLUSTER_KERNELS";

    private const string ManifestName = "kernels.json";

    private readonly string _folder;
    private readonly string[] _targets;

    private PrebuiltKernels(string folder, string[] targets)
    {
        _folder = folder;
        _targets = targets;
    }

    /// <summary>The folder that the environment names, or the one beside the program.</summary>
    public static string FolderOfEnvironment =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named ? named : Path.Combine(AppContext.BaseDirectory, "kernels");

    /// <returns>Null where there is no such folder, or it is of another build: what it has would be other kernels.</returns>
    public static PrebuiltKernels? Open(string folder) => Open(folder, out _);

    /// <param name="remark">Why a folder that is there is not used.</param>
    public static PrebuiltKernels? Open(string folder, out string? remark)
    {
        remark = null;
        var path = Path.Combine(folder, ManifestName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            using var manifest = JsonDocument.Parse(File.ReadAllBytes(path));
            if (manifest.RootElement.GetProperty("build").GetString() == KernelCache.ThisBuild)
            {
                return new PrebuiltKernels(
                    folder, [.. manifest.RootElement.GetProperty("targets").EnumerateArray().Select(target => target.GetString()!)]);
            }

            remark = $"{path} is of another build: kernels are compiled when they are first used; 'kernels build' makes it anew";
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or IOException
            or UnauthorizedAccessException)
        {
            remark = $"{path} cannot be read: {exception.Message}";
        }

        return null;
    }

    /// <summary>Tells what a folder has, after its files have been written.</summary>
    public static void WriteManifest(string folder, IReadOnlyList<string> targets, string compiler) => File.WriteAllText(
        Path.Combine(folder, ManifestName),
        JsonSerializer.Serialize(new { build = KernelCache.ThisBuild, compiler, targets }) + '\n');

    /// <summary>Where a kernel's code object lies.</summary>
    public static string PathOf(string folder, string processor, Kernel kernel) =>
        Path.Combine(folder, processor, kernel.FileName + ".co");

    /// <summary>Null where it was not built for the processor.</summary>
    public byte[]? Find(Kernel kernel, string processor)
    {
        var path = PathOf(_folder, processor, kernel);
        return _targets.Contains(processor) && File.Exists(path) ? File.ReadAllBytes(path) : null;
    }
}
