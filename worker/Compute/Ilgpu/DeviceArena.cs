using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>Device memory handed out until the backend ends, within a budget: small pieces from shared chunks, large ones alone. Addresses
/// never move, so what a graph was captured on stays true.</summary>
/// <param name="budgetBytes">Most bytes taken from the device.</param>
internal sealed class DeviceArena(IKernelLauncher launcher, long budgetBytes) : IDisposable
{
    /// <summary>Every piece begins at a multiple: enough for any vector, and for a GPU's memory transactions.</summary>
    private const int Alignment = 256;

    /// <summary>Pieces of at least a quarter of it have memory of their own.</summary>
    private const long ChunkBytes = 32 << 20;

    private readonly HashSet<DeviceMemory> _chunks = [];
    private readonly HashSet<DeviceMemory> _alone = [];
    private MemoryRange? _rest;

    /// <summary>Bytes taken from the device.</summary>
    public long TakenBytes { get; private set; }

    /// <summary>Memory for something, contents undefined.</summary>
    /// <param name="name">For the error.</param>
    /// <exception cref="InsufficientMemoryException">Budget or device do not have it.</exception>
    public MemoryRange Take(string name, long bytes)
    {
        var size = (Math.Max(bytes, 1) + Alignment - 1) / Alignment * Alignment;
        if (size >= ChunkBytes / 4)
        {
            return new MemoryRange(Allocate(name, size, _alone), 0, size).Slice(0, bytes);
        }

        if (_rest is not { } rest || rest.Bytes < size)
        {
            var chunk = Math.Min(ChunkBytes, Math.Max(size, (budgetBytes - TakenBytes) / Alignment * Alignment));
            rest = new MemoryRange(Allocate(name, chunk, _chunks), 0, chunk);
        }

        _rest = rest.Slice(size, rest.Bytes - size);
        return rest.Slice(0, bytes);
    }

    /// <summary>Gives memory back, to the device where it was taken alone; a small piece of a chunk stays with it until the end.</summary>
    public void Return(MemoryRange range)
    {
        if (_alone.Remove(range.Memory))
        {
            TakenBytes -= range.Memory.Bytes;
            range.Memory.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (var memory in _chunks.Concat(_alone))
        {
            memory.Dispose();
        }

        _chunks.Clear();
        _alone.Clear();
    }

    private DeviceMemory Allocate(string name, long bytes, HashSet<DeviceMemory> kind)
    {
        if (bytes > budgetBytes - TakenBytes)
        {
            throw new InsufficientMemoryException(
                $"'{name}' needs {bytes} bytes, but {TakenBytes} of the {budgetBytes} bytes that may be used are taken");
        }

        try
        {
            var memory = launcher.Allocate(bytes);
            kind.Add(memory);
            TakenBytes += bytes;
            return memory;
        }
        catch (InsufficientMemoryException exception)
        {
            throw new InsufficientMemoryException($"'{name}': {exception.Message}", exception);
        }
    }
}
