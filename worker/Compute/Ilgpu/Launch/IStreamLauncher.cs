namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>What launchers of GPUs can do besides: others may enqueue on their stream, and what is enqueued can be captured as a graph and
/// replayed.</summary>
internal interface IStreamLauncher : IKernelLauncher
{
    /// <summary>The driver's handle of the queue.</summary>
    nint Stream { get; }

    /// <summary>Asked now and then while somebody waits for the stream: throws where it may never come to its end. Null where that cannot
    /// be.</summary>
    Action? WhileWaiting { get; set; }

    /// <summary>Where a piece of memory begins on the device.</summary>
    nint AddressOf(MemoryRange range);

    /// <summary>Copies rows of <paramref name="rowBytes"/> that stand apart by as much as the strides say.</summary>
    void CopyRows(MemoryRange source, long sourceStride, MemoryRange destination, long destinationStride, long rowBytes, int rows);

    /// <summary>Writes down what is launched and copied on the device from here on, instead of doing it. Kernels must have been launched
    /// before, so that nothing is built meanwhile; memory must neither be taken nor given back, and nothing written, read or waited
    /// for.</summary>
    void BeginCapture();

    /// <summary>Ends it.</summary>
    /// <returns>Null where the driver could not capture what was launched; nothing of it has been done.</returns>
    IDisposable? EndCapture();

    /// <summary>Does what was captured, after all that was enqueued before.</summary>
    /// <param name="graph">From <see cref="EndCapture"/>. The memory it was captured on must still be there.</param>
    void Replay(IDisposable graph);
}
