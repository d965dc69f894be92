namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>The functions that HIP and CUDA's driver interface have in common: other names, the same arguments. Pointers are addresses,
/// results are error codes with 0 for success.</summary>
internal sealed unsafe class GpuCalls
{
    /// <param name="isHip">Which of the two names of each function counts.</param>
    /// <exception cref="NotSupportedException">The library lacks one.</exception>
    public GpuCalls(DriverLibrary library, bool isHip)
    {
        nint Of(string hip, string cuda) => library.Get(isHip ? hip : cuda);
        MemGetInfo = (delegate* unmanaged<nuint*, nuint*, int>)Of("hipMemGetInfo", "cuMemGetInfo_v2");
        Malloc = (delegate* unmanaged<nint*, nuint, int>)Of("hipMalloc", "cuMemAlloc_v2");
        Free = (delegate* unmanaged<nint, int>)Of("hipFree", "cuMemFree_v2");
        HostMalloc = (delegate* unmanaged<nint*, nuint, uint, int>)Of("hipHostMalloc", "cuMemHostAlloc");
        HostFree = (delegate* unmanaged<nint, int>)Of("hipHostFree", "cuMemFreeHost");
        CopyToDevice = (delegate* unmanaged<nint, nint, nuint, nint, int>)Of("hipMemcpyHtoDAsync", "cuMemcpyHtoDAsync_v2");
        CopyToHost = (delegate* unmanaged<nint, nint, nuint, nint, int>)Of("hipMemcpyDtoHAsync", "cuMemcpyDtoHAsync_v2");
        CopyOnDevice = (delegate* unmanaged<nint, nint, nuint, nint, int>)Of("hipMemcpyDtoDAsync", "cuMemcpyDtoDAsync_v2");
        Fill = (delegate* unmanaged<nint, byte, nuint, nint, int>)Of("hipMemsetD8Async", "cuMemsetD8Async");
        StreamCreate = (delegate* unmanaged<nint*, uint, int>)Of("hipStreamCreateWithFlags", "cuStreamCreate");
        StreamDestroy = (delegate* unmanaged<nint, int>)Of("hipStreamDestroy", "cuStreamDestroy_v2");
        StreamSynchronize = (delegate* unmanaged<nint, int>)Of("hipStreamSynchronize", "cuStreamSynchronize");
        StreamBeginCapture = (delegate* unmanaged<nint, int, int>)Of("hipStreamBeginCapture", "cuStreamBeginCapture_v2");
        StreamEndCapture = (delegate* unmanaged<nint, nint*, int>)Of("hipStreamEndCapture", "cuStreamEndCapture");
        EventCreate = (delegate* unmanaged<nint*, uint, int>)Of("hipEventCreateWithFlags", "cuEventCreate");
        EventRecord = (delegate* unmanaged<nint, nint, int>)Of("hipEventRecord", "cuEventRecord");
        EventSynchronize = (delegate* unmanaged<nint, int>)Of("hipEventSynchronize", "cuEventSynchronize");
        EventQuery = (delegate* unmanaged<nint, int>)Of("hipEventQuery", "cuEventQuery");
        EventDestroy = (delegate* unmanaged<nint, int>)Of("hipEventDestroy", "cuEventDestroy_v2");
        GraphInstantiate = (delegate* unmanaged<nint*, nint, ulong, int>)Of("hipGraphInstantiateWithFlags", "cuGraphInstantiateWithFlags");
        GraphLaunch = (delegate* unmanaged<nint, nint, int>)Of("hipGraphLaunch", "cuGraphLaunch");
        GraphExecDestroy = (delegate* unmanaged<nint, int>)Of("hipGraphExecDestroy", "cuGraphExecDestroy");
        GraphDestroy = (delegate* unmanaged<nint, int>)Of("hipGraphDestroy", "cuGraphDestroy");
        ModuleLoad = (delegate* unmanaged<nint*, void*, uint, int*, void**, int>)Of("hipModuleLoadDataEx", "cuModuleLoadDataEx");
        ModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)Of("hipModuleGetFunction", "cuModuleGetFunction");
        ModuleUnload = (delegate* unmanaged<nint, int>)Of("hipModuleUnload", "cuModuleUnload");
        LaunchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Of(
            "hipModuleLaunchKernel", "cuLaunchKernel");
    }

    public delegate* unmanaged<nuint*, nuint*, int> MemGetInfo { get; }

    public delegate* unmanaged<nint*, nuint, int> Malloc { get; }

    public delegate* unmanaged<nint, int> Free { get; }

    public delegate* unmanaged<nint*, nuint, uint, int> HostMalloc { get; }

    public delegate* unmanaged<nint, int> HostFree { get; }

    /// <summary>Destination, source, bytes, stream; so are the other copies.</summary>
    public delegate* unmanaged<nint, nint, nuint, nint, int> CopyToDevice { get; }

    public delegate* unmanaged<nint, nint, nuint, nint, int> CopyToHost { get; }

    public delegate* unmanaged<nint, nint, nuint, nint, int> CopyOnDevice { get; }

    public delegate* unmanaged<nint, byte, nuint, nint, int> Fill { get; }

    public delegate* unmanaged<nint*, uint, int> StreamCreate { get; }

    public delegate* unmanaged<nint, int> StreamDestroy { get; }

    public delegate* unmanaged<nint, int> StreamSynchronize { get; }

    public delegate* unmanaged<nint, int, int> StreamBeginCapture { get; }

    public delegate* unmanaged<nint, nint*, int> StreamEndCapture { get; }

    public delegate* unmanaged<nint*, uint, int> EventCreate { get; }

    public delegate* unmanaged<nint, nint, int> EventRecord { get; }

    public delegate* unmanaged<nint, int> EventSynchronize { get; }

    public delegate* unmanaged<nint, int> EventQuery { get; }

    public delegate* unmanaged<nint, int> EventDestroy { get; }

    public delegate* unmanaged<nint*, nint, ulong, int> GraphInstantiate { get; }

    public delegate* unmanaged<nint, nint, int> GraphLaunch { get; }

    public delegate* unmanaged<nint, int> GraphExecDestroy { get; }

    public delegate* unmanaged<nint, int> GraphDestroy { get; }

    /// <summary>Module, image, options, their names, their values.</summary>
    public delegate* unmanaged<nint*, void*, uint, int*, void**, int> ModuleLoad { get; }

    public delegate* unmanaged<nint*, nint, byte*, int> ModuleGetFunction { get; }

    public delegate* unmanaged<nint, int> ModuleUnload { get; }

    /// <summary>Function, groups, threads of a group, dynamic shared memory, stream, parameters, extra.</summary>
    public delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> LaunchKernel { get; }
}
