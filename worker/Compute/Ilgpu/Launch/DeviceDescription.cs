namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>What a device says of itself.</summary>
/// <param name="Kind"><c>hip</c>, <c>cuda</c>, <c>opencl</c> or <c>interpreter</c>.</param>
/// <param name="Name">As its driver calls it.</param>
/// <param name="Driver">Platform and driver version; part of the kernel cache's key.</param>
/// <param name="IsGpu">False for a processor that pretends.</param>
/// <param name="MemoryBytes">Global memory; what is free of it, where the driver tells.</param>
/// <param name="ComputeUnits">Processors that run groups.</param>
internal sealed record DeviceDescription(string Kind, string Name, string Driver, bool IsGpu, long MemoryBytes, int ComputeUnits)
{
    /// <summary>The instruction set where the driver tells: <c>gfx942:sramecc+:xnack-</c>.</summary>
    public string? Architecture { get; init; }

    /// <summary>Where the driver tells.</summary>
    public string? Uuid { get; init; }

    /// <summary>Name and UUID, to tell devices of one kind apart.</summary>
    public string Title => Uuid is null ? Name : $"{Name} ({Uuid})";

    /// <summary>For the start log.</summary>
    public override string ToString() =>
        $"{Kind}: {Name}{(Architecture is null ? "" : $", {Architecture}")}, {ComputeUnits} compute units, "
        + $"{MemoryBytes / (double)(1L << 30):F1} GiB, {Driver}";
}
