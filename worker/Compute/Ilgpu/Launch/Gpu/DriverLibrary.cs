using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>A driver's library, loaded at run time: a worker without GPUs needs none. It stays loaded, as its threads do.</summary>
internal sealed class DriverLibrary
{
    private readonly nint _handle;

    private DriverLibrary(string name, nint handle)
    {
        Name = name;
        _handle = handle;
    }

    /// <summary>What it was loaded by.</summary>
    public string Name { get; }

    /// <summary>The first that can be loaded; null where none can.</summary>
    public static DriverLibrary? Find(IReadOnlyList<string> names)
    {
        foreach (var name in names)
        {
            if (NativeLibrary.TryLoad(name, out var handle))
            {
                return new DriverLibrary(name, handle);
            }
        }

        return null;
    }

    /// <summary>Null where the library does not have the function.</summary>
    public nint? TryGet(string function) => NativeLibrary.TryGetExport(_handle, function, out var address) ? address : null;

    /// <exception cref="NotSupportedException">The library does not have the function.</exception>
    public nint Get(string function) =>
        TryGet(function) ?? throw new NotSupportedException($"{Name} has no function {function}: too old, or something else of that name");
}
