using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Cuda;

/// <summary>NVIDIA's <c>libcuda</c>, which comes with the driver: what it has for a device, and what is its own of CUDA.</summary>
internal sealed unsafe class CudaLibrary
{
    private const int Success = 0;
    private const int NoDevice = 100;
    private const int UuidBytes = 16;
    private const int NameBytes = 256;

    private readonly DriverLibrary _library;
    private readonly delegate* unmanaged<uint, int> _init;
    private readonly delegate* unmanaged<int*, int> _getDeviceCount;
    private readonly delegate* unmanaged<int*, int, int> _getDevice;
    private readonly delegate* unmanaged<byte*, int, int, int> _getName;
    private readonly delegate* unmanaged<byte*, int, int> _getUuid;
    private readonly delegate* unmanaged<nuint*, int, int> _getTotalMemory;
    private readonly delegate* unmanaged<int*, int, int, int> _getAttribute;
    private readonly delegate* unmanaged<int*, int> _getVersion;
    private readonly delegate* unmanaged<nint*, int, int> _retainContext;
    private readonly delegate* unmanaged<int, int> _releaseContext;
    private readonly delegate* unmanaged<nint, int> _setContext;
    private readonly delegate* unmanaged<int, nint*, int> _getErrorName;

    private CudaLibrary(DriverLibrary library)
    {
        _library = library;
        Calls = new GpuCalls(library, isHip: false);
        _init = (delegate* unmanaged<uint, int>)library.Get("cuInit");
        _getDeviceCount = (delegate* unmanaged<int*, int>)library.Get("cuDeviceGetCount");
        _getDevice = (delegate* unmanaged<int*, int, int>)library.Get("cuDeviceGet");
        _getName = (delegate* unmanaged<byte*, int, int, int>)library.Get("cuDeviceGetName");
        _getUuid = (delegate* unmanaged<byte*, int, int>)(library.TryGet("cuDeviceGetUuid_v2") ?? library.Get("cuDeviceGetUuid"));
        _getTotalMemory = (delegate* unmanaged<nuint*, int, int>)library.Get("cuDeviceTotalMem_v2");
        _getAttribute = (delegate* unmanaged<int*, int, int, int>)library.Get("cuDeviceGetAttribute");
        _getVersion = (delegate* unmanaged<int*, int>)library.Get("cuDriverGetVersion");
        _retainContext = (delegate* unmanaged<nint*, int, int>)library.Get("cuDevicePrimaryCtxRetain");
        _releaseContext = (delegate* unmanaged<int, int>)library.Get("cuDevicePrimaryCtxRelease_v2");
        _setContext = (delegate* unmanaged<nint, int>)library.Get("cuCtxSetCurrent");
        _getErrorName = (delegate* unmanaged<int, nint*, int>)library.Get("cuGetErrorName");
        Copy2D = (delegate* unmanaged<CudaCopy2D*, nint, int>)library.Get("cuMemcpy2DAsync_v2");
    }

    public static IReadOnlyList<string> FileNames { get; } = ["libcuda.so.1"];

    public string Name => _library.Name;

    public GpuCalls Calls { get; }

    public delegate* unmanaged<CudaCopy2D*, nint, int> Copy2D { get; }

    /// <summary>Null where none of the files can be loaded.</summary>
    /// <exception cref="NotSupportedException">The library lacks a function.</exception>
    public static CudaLibrary? Find(IReadOnlyList<string> fileNames) =>
        DriverLibrary.Find(fileNames) is { } library ? new CudaLibrary(library) : null;

    /// <summary>Handles of the devices that this process may use.</summary>
    /// <exception cref="InvalidOperationException">The driver fails.</exception>
    public int[] Devices()
    {
        var result = _init(0);
        if (result == NoDevice)
        {
            return [];
        }

        Check(result, "cuInit");
        int count;
        Check(_getDeviceCount(&count), "cuDeviceGetCount");
        var devices = new int[count];
        for (var ordinal = 0; ordinal < count; ordinal++)
        {
            int device;
            Check(_getDevice(&device, ordinal), $"cuDeviceGet({ordinal})");
            devices[ordinal] = device;
        }

        return devices;
    }

    public string NameOf(int device)
    {
        var text = stackalloc byte[NameBytes];
        Check(_getName(text, NameBytes, device), "cuDeviceGetName");
        return Marshal.PtrToStringUTF8((nint)text)!;
    }

    /// <summary>As <c>nvidia-smi</c> writes it; null where there is none.</summary>
    public string? UuidOf(int device)
    {
        Span<byte> bytes = stackalloc byte[UuidBytes];
        fixed (byte* p = bytes)
        {
            return _getUuid(p, device) == Success ? $"GPU-{new Guid(bytes, bigEndian: true)}" : null;
        }
    }

    public long MemoryOf(int device)
    {
        nuint bytes;
        Check(_getTotalMemory(&bytes, device), "cuDeviceTotalMem");
        return (long)bytes;
    }

    /// <param name="attribute">A number of <c>CUdevice_attribute</c>.</param>
    public int Attribute(int attribute, int device)
    {
        int value;
        Check(_getAttribute(&value, attribute, device), $"cuDeviceGetAttribute({attribute})");
        return value;
    }

    /// <summary>"CUDA 12.8".</summary>
    public string Version()
    {
        int version;
        return _getVersion(&version) == Success ? $"CUDA {version / 1000}.{version % 1000 / 10}" : "CUDA";
    }

    /// <summary>The context that all users of a device share.</summary>
    /// <exception cref="InvalidOperationException">The driver refuses one.</exception>
    public nint Retain(int device)
    {
        nint context;
        Check(_retainContext(&context, device), "cuDevicePrimaryCtxRetain");
        return context;
    }

    public void Release(int device) => _ = _releaseContext(device);

    public int Select(nint context) => _setContext(context);

    public string Describe(int result)
    {
        nint text = 0;
        return $"{(_getErrorName(result, &text) == Success ? Marshal.PtrToStringUTF8(text) : null) ?? "CUDA error"} ({result})";
    }

    private void Check(int result, string function)
    {
        if (result != Success)
        {
            throw new InvalidOperationException($"{function} of {_library.Name} failed: {Describe(result)}");
        }
    }
}
