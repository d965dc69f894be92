namespace Cluster.Worker.Startup;

/// <summary>A device that a worker could be told to use. Found by <see cref="SeenDevices"/>.</summary>
/// <param name="Index">Place in the list, GPUs first; of GPUs also the rank that takes it.</param>
/// <param name="Option">The value of <c>--device</c> that takes it.</param>
/// <param name="Kind"><c>hip GPU</c>, <c>cuda GPU</c>, <c>opencl GPU</c>, <c>opencl CPU</c>, <c>cpu</c> or <c>interpreter</c>.</param>
/// <param name="Architecture">Instruction set; null where the driver does not tell.</param>
/// <param name="Driver">What runs it, with its version.</param>
internal sealed record SeenDevice(
    int Index, string Option, string Kind, string Name, long MemoryBytes, string? Architecture, string Driver)
{
    /// <summary>Null where there is none to tell.</summary>
    public string? Uuid { get; init; }

    /// <summary>Whether <c>--device auto</c> takes it, for the first rank.</summary>
    public bool IsAuto { get; init; }
}
