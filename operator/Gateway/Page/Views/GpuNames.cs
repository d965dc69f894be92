using Cluster.Operator.Api;

namespace Cluster.Operator.Gateway.Page.Views;

/// <summary>What people call a GPU.</summary>
internal static class GpuNames
{
    /// <summary>By PCI device id, as in AMD's node labels.</summary>
    private static readonly Dictionary<string, string> ByDeviceId = new(StringComparer.OrdinalIgnoreCase)
    {
        ["7408"] = "MI250X",
        ["740c"] = "MI250X",
        ["740f"] = "MI210",
        ["74a0"] = "MI300A",
        ["74a1"] = "MI300X",
        ["74a2"] = "MI308X",
        ["74a5"] = "MI325X",
        ["75a0"] = "MI350X",
        ["75a3"] = "MI355X",
    };

    public static string Of(GpuDevice gpu) =>
        gpu.DeviceId is { Length: > 0 } id ? ByDeviceId.GetValueOrDefault(id, id) : gpu.Gfx ?? "GPU";
}
