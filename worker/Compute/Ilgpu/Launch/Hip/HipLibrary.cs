using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Hip;

/// <summary>AMD's <c>libamdhip64</c>: what it has for a device, and what is its own of HIP.</summary>
internal sealed unsafe class HipLibrary
{
    private const int Success = 0;
    private const int NoDevice = 100;
    private const int UuidBytes = 16;

    private readonly DriverLibrary _library;
    private readonly delegate* unmanaged<int*, int> _getDeviceCount;
    private readonly delegate* unmanaged<int, int> _setDevice;
    private readonly delegate* unmanaged<byte*, int, int> _getProperties;
    private readonly delegate* unmanaged<byte*, int, int> _getUuid;
    private readonly delegate* unmanaged<int*, int> _getVersion;
    private readonly delegate* unmanaged<int, nint> _getErrorName;
    private readonly bool _isR0600;

    private HipLibrary(DriverLibrary library)
    {
        _library = library;
        Calls = new GpuCalls(library, isHip: true);
        _getDeviceCount = (delegate* unmanaged<int*, int>)library.Get("hipGetDeviceCount");
        _setDevice = (delegate* unmanaged<int, int>)library.Get("hipSetDevice");
        var newer = library.TryGet("hipGetDevicePropertiesR0600");
        _isR0600 = newer is not null;
        _getProperties = (delegate* unmanaged<byte*, int, int>)(newer ?? library.Get("hipGetDeviceProperties"));
        _getUuid = (delegate* unmanaged<byte*, int, int>)library.Get("hipDeviceGetUuid");
        _getVersion = (delegate* unmanaged<int*, int>)library.Get("hipRuntimeGetVersion");
        _getErrorName = (delegate* unmanaged<int, nint>)library.Get("hipGetErrorName");
        Copy2D = (delegate* unmanaged<nint, nuint, nint, nuint, nuint, nuint, int, nint, int>)library.Get("hipMemcpy2DAsync");
    }

    /// <summary>In the order in which they are tried: newer before older.</summary>
    public static IReadOnlyList<string> FileNames { get; } =
        ["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so", "/opt/rocm/lib/libamdhip64.so"];

    public string Name => _library.Name;

    public GpuCalls Calls { get; }

    /// <summary>Destination and its pitch, source and its pitch, bytes of a row, rows, kind, stream.</summary>
    public delegate* unmanaged<nint, nuint, nint, nuint, nuint, nuint, int, nint, int> Copy2D { get; }

    /// <summary>Null where none of the files can be loaded.</summary>
    /// <exception cref="NotSupportedException">The library lacks a function.</exception>
    public static HipLibrary? Find(IReadOnlyList<string> fileNames) =>
        DriverLibrary.Find(fileNames) is { } library ? new HipLibrary(library) : null;

    /// <summary>Devices that this process may use.</summary>
    /// <exception cref="InvalidOperationException">The driver fails.</exception>
    public int CountDevices()
    {
        var count = 0;
        var result = _getDeviceCount(&count);
        if (result == NoDevice)
        {
            return 0;
        }

        Check(result, "hipGetDeviceCount");
        return count;
    }

    /// <summary>Makes this thread's calls go to a device.</summary>
    public int Select(int device) => _setDevice(device);

    /// <exception cref="InvalidOperationException">The driver fails.</exception>
    public HipProperties Properties(int device)
    {
        var bytes = new byte[HipProperties.Bytes];
        fixed (byte* p = bytes)
        {
            Check(_getProperties(p, device), $"hipGetDeviceProperties({device})");
        }

        return HipProperties.Read(bytes, _isR0600 ? HipProperties.R0600 : HipProperties.R0000);
    }

    /// <summary>As <c>ROCR_VISIBLE_DEVICES</c> takes it: <c>GPU-</c> and 16 hex digits, which are the sixteen bytes. Null where there is
    /// none.</summary>
    public string? Uuid(int device)
    {
        Span<byte> bytes = stackalloc byte[UuidBytes];
        bytes.Clear();
        fixed (byte* p = bytes)
        {
            if (_getUuid(p, device) != Success || bytes.IndexOfAnyExcept((byte)0) < 0)
            {
                return null;
            }
        }

        return bytes.IndexOfAnyExcept("0123456789abcdefABCDEF"u8) < 0
            ? $"GPU-{System.Text.Encoding.ASCII.GetString(bytes)}"
            : Convert.ToHexStringLower(bytes);
    }

    /// <summary>"HIP 6.3".</summary>
    public string Version()
    {
        int version;
        return _getVersion(&version) == Success ? $"HIP {version / 10_000_000}.{version / 100_000 % 100}.{version % 100_000}" : "HIP";
    }

    public string Describe(int result) => $"{Marshal.PtrToStringUTF8(_getErrorName(result)) ?? "HIP error"} ({result})";

    private void Check(int result, string function)
    {
        if (result != Success)
        {
            throw new InvalidOperationException($"{function} of {Name} failed: {Describe(result)}");
        }
    }
}
