using System.Collections.Immutable;
using Silk.NET.OpenCL;

namespace Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;

/// <summary>A device of the ICD loader.</summary>
/// <param name="Platform">Handle of its platform.</param>
/// <param name="Handle">Its own.</param>
internal sealed record OpenClDevice(nint Platform, nint Handle, DeviceDescription Description)
{
    private const DeviceInfo UuidKhr = (DeviceInfo)0x106A;
    private const DeviceInfo BoardNameAmd = (DeviceInfo)0x4038;
    private const DeviceInfo FreeMemoryAmd = (DeviceInfo)0x4039;
    private const int DeviceNotFound = -1;
    private const int PlatformNotFound = -1001;

    /// <summary>Drivers start when devices are first asked for, and some show none to a second thread meanwhile.</summary>
    private static readonly Lock Enumerating = new();

    /// <summary>Vendor id of AMD on the PCI bus.</summary>
    private const uint Amd = 0x1002;

    /// <summary>Whether its compiler knows AMD's instructions.</summary>
    public bool IsAmd { get; private init; }

    /// <summary>See <see cref="AmdArchitecture.MatrixCoresOf"/>.</summary>
    public MatrixCores MatrixCores =>
        IsAmd && Description.Architecture is { } name ? AmdArchitecture.MatrixCoresOf(name) : MatrixCores.None;

    /// <summary>The version of OpenCL it speaks: 2.0 where its driver says "OpenCL 2.0 …".</summary>
    public Version Version { get; private init; } = new(0, 0);

    /// <summary>Largest piece of memory it allocates at once.</summary>
    public long MaxAllocationBytes { get; private init; }

    /// <summary>Threads of a group at most.</summary>
    public long MaxGroupSize { get; private init; }

    /// <summary>Shared memory of a group.</summary>
    public long SharedBytes { get; private init; }

    /// <summary>All devices, GPUs first. An AMD driver shows those that <see cref="VisibleDevices.Variable"/> leaves.</summary>
    public static ImmutableArray<OpenClDevice> All()
    {
        lock (Enumerating)
        {
            return Enumerate();
        }
    }

    private static unsafe ImmutableArray<OpenClDevice> Enumerate()
    {
        if (OpenClApi.Find() is not { } cl)
        {
            return [];
        }

        uint count = 0;
        var error = cl.GetPlatformIDs(0, null, &count);
        if (error is PlatformNotFound || count == 0)
        {
            return [];
        }

        OpenClApi.Check(error, "clGetPlatformIDs");
        var platforms = new nint[count];
        fixed (nint* p = platforms)
        {
            OpenClApi.Check(cl.GetPlatformIDs(count, p, null), "clGetPlatformIDs");
        }

        var devices = platforms.SelectMany(platform => Devices(cl, platform)).OrderBy(device => device.Description.IsGpu ? 0 : 1);
        return WithUuids([.. devices], Environment.GetEnvironmentVariable(VisibleDevices.Variable));
    }

    /// <summary>AMD's driver tells no UUIDs, but shows the devices in the order in which the variable names them.</summary>
    private static ImmutableArray<OpenClDevice> WithUuids(ImmutableArray<OpenClDevice> devices, string? visible)
    {
        var amd = devices.Where(device => device.IsAmd).ToList();
        var names = visible?.Split(',') ?? [];
        return amd.Count != names.Length ? devices : [.. devices.Select(device => device.IsAmd ? Named(device) : device)];

        OpenClDevice Named(OpenClDevice device) => names[amd.IndexOf(device)] is ['G', 'P', 'U', '-', ..] and var uuid
            ? device with { Description = device.Description with { Uuid = device.Description.Uuid ?? uuid } }
            : device;
    }

    private static unsafe List<OpenClDevice> Devices(CL cl, nint platform)
    {
        uint count = 0;
        var error = cl.GetDeviceIDs(platform, DeviceType.All, 0, null, &count);
        if (error == DeviceNotFound || count == 0)
        {
            return [];
        }

        OpenClApi.Check(error, "clGetDeviceIDs");
        var handles = new nint[count];
        fixed (nint* p = handles)
        {
            OpenClApi.Check(cl.GetDeviceIDs(platform, DeviceType.All, count, p, null), "clGetDeviceIDs");
        }

        return [.. handles.Select(handle => Describe(cl, platform, handle))];
    }

    private static OpenClDevice Describe(CL cl, nint platform, nint handle)
    {
        string? Text(DeviceInfo property) => OpenClApi.Text(cl, handle, property);
        long Number(DeviceInfo property) => OpenClApi.Value<long>(cl, handle, property) ?? 0;
        var type = (DeviceType)(ulong)Number(DeviceInfo.Type);
        var isAmd = OpenClApi.Value<uint>(cl, handle, DeviceInfo.VendorID) == Amd && type.HasFlag(DeviceType.Gpu);
        var name = Text(DeviceInfo.Name) ?? "unnamed device";
        var board = isAmd ? OpenClApi.Text(cl, handle, BoardNameAmd) : null;
        return new OpenClDevice(platform, handle, new DeviceDescription(
            "opencl", board ?? name, $"{Text(DeviceInfo.Version)}, driver {Text(DeviceInfo.DriverVersion)}",
            type.HasFlag(DeviceType.Gpu), FreeBytes(cl, handle) ?? Number(DeviceInfo.GlobalMemSize),
            (int)(OpenClApi.Value<uint>(cl, handle, DeviceInfo.MaxComputeUnits) ?? 1))
        {
            Architecture = isAmd ? name : null,
            Uuid = OpenClApi.Value<Guid>(cl, handle, UuidKhr) is { } uuid ? Convert.ToHexStringLower(uuid.ToByteArray()) : null,
        })
        {
            IsAmd = isAmd,
            Version = VersionOf(Text(DeviceInfo.Version)),
            MaxAllocationBytes = Number(DeviceInfo.MaxMemAllocSize),
            MaxGroupSize = Number(DeviceInfo.MaxWorkGroupSize),
            SharedBytes = Number(DeviceInfo.LocalMemSize),
        };
    }

    /// <summary>What other processes have left of the memory, where the driver tells: in KiB, alone or before the largest free
    /// block.</summary>
    private static long? FreeBytes(CL cl, nint handle)
    {
        var kibibytes = OpenClApi.Value<(long Free, long Largest)>(cl, handle, FreeMemoryAmd)?.Free
            ?? OpenClApi.Value<long>(cl, handle, FreeMemoryAmd);
        return kibibytes * 1024;
    }

    /// <param name="text">"OpenCL", major.minor, and what the vendor likes to add.</param>
    private static Version VersionOf(string? text) =>
        text?.Split(' ') is ["OpenCL", var number, ..] && Version.TryParse(number, out var version) ? version : new Version(0, 0);
}
