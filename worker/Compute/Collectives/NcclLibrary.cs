using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>RCCL or NCCL, whichever this machine has, loaded at run time: a worker without GPUs needs neither. The two have one
/// interface.</summary>
internal sealed unsafe class NcclLibrary : INccl
{
    /// <summary>AMD's first.</summary>
    public static readonly IReadOnlyList<string> FileNames = ["librccl.so.1", "libnccl.so.2"];

    private const int Sum = 0;

    private readonly delegate* unmanaged<NcclUniqueId*, int> _getUniqueId;
    private readonly delegate* unmanaged<nint*, int, NcclUniqueId, int, int> _commInitRank;
    private readonly delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> _allReduce;
    private readonly delegate* unmanaged<nint, nint, nuint, int, nint, nint, int> _allGather;
    private readonly delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> _broadcast;
    private readonly delegate* unmanaged<int> _groupStart;
    private readonly delegate* unmanaged<int> _groupEnd;
    private readonly delegate* unmanaged<nint, nuint, int, int, nint, nint, int> _send;
    private readonly delegate* unmanaged<nint, nuint, int, int, nint, nint, int> _receive;
    private readonly delegate* unmanaged<nint, int*, int> _commGetAsyncError;
    private readonly delegate* unmanaged<nint, int> _commDestroy;
    private readonly delegate* unmanaged<nint, int> _commAbort;
    private readonly delegate* unmanaged<int, nint> _getErrorString;

    private NcclLibrary(string name, nint library)
    {
        Name = name;
        _getUniqueId = (delegate* unmanaged<NcclUniqueId*, int>)Export("ncclGetUniqueId");
        _commInitRank = (delegate* unmanaged<nint*, int, NcclUniqueId, int, int>)Export("ncclCommInitRank");
        _allReduce = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)Export("ncclAllReduce");
        _allGather = (delegate* unmanaged<nint, nint, nuint, int, nint, nint, int>)Export("ncclAllGather");
        _broadcast = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)Export("ncclBroadcast");
        _groupStart = (delegate* unmanaged<int>)Export("ncclGroupStart");
        _groupEnd = (delegate* unmanaged<int>)Export("ncclGroupEnd");
        _send = (delegate* unmanaged<nint, nuint, int, int, nint, nint, int>)Export("ncclSend");
        _receive = (delegate* unmanaged<nint, nuint, int, int, nint, nint, int>)Export("ncclRecv");
        _commGetAsyncError = (delegate* unmanaged<nint, int*, int>)Export("ncclCommGetAsyncError");
        _commDestroy = (delegate* unmanaged<nint, int>)Export("ncclCommDestroy");
        _commAbort = (delegate* unmanaged<nint, int>)Export("ncclCommAbort");
        _getErrorString = (delegate* unmanaged<int, nint>)Export("ncclGetErrorString");

        nint Export(string function) => NativeLibrary.TryGetExport(library, function, out var address)
            ? address
            : throw new NotSupportedException($"{name} has no function {function}: not an RCCL or NCCL of version 2.7 or later");
    }

    public string Name { get; }

    /// <summary>The first of <paramref name="fileNames"/> that can be loaded. It stays loaded: RCCL's threads outlive its
    /// communicators.</summary>
    /// <exception cref="NotSupportedException">None can, or it lacks a function; names what was tried.</exception>
    public static NcclLibrary Load(IReadOnlyList<string> fileNames)
    {
        foreach (var name in fileNames)
        {
            if (NativeLibrary.TryLoad(name, out var library))
            {
                return new NcclLibrary(name, library);
            }
        }

        throw new NotSupportedException(
            $"tensor parallelism over GPUs needs {string.Join(" (ROCm) or ", fileNames)} (CUDA), of which none can be loaded: install "
            + "it, or put its folder into LD_LIBRARY_PATH");
    }

    /// <summary><see cref="Load"/>, or why not.</summary>
    public static bool TryLoad(
        IReadOnlyList<string> fileNames, [NotNullWhen(true)] out NcclLibrary? library, [NotNullWhen(false)] out string? reason)
    {
        (library, reason) = (null, null);
        try
        {
            library = Load(fileNames);
            return true;
        }
        catch (NotSupportedException exception)
        {
            reason = exception.Message;
            return false;
        }
    }

    public int GetUniqueId(NcclUniqueId* id) => _getUniqueId(id);

    public int CommInitRank(nint* communicator, int ranks, NcclUniqueId id, int rank) => _commInitRank(communicator, ranks, id, rank);

    public int AllReduce(nint send, nint receive, nuint count, NcclDataType type, nint communicator, nint stream) =>
        _allReduce(send, receive, count, (int)type, Sum, communicator, stream);

    public int AllGather(nint send, nint receive, nuint sendCount, NcclDataType type, nint communicator, nint stream) =>
        _allGather(send, receive, sendCount, (int)type, communicator, stream);

    public int Broadcast(nint send, nint receive, nuint count, NcclDataType type, int root, nint communicator, nint stream) =>
        _broadcast(send, receive, count, (int)type, root, communicator, stream);

    public int GroupStart() => _groupStart();

    public int GroupEnd() => _groupEnd();

    public int Send(nint send, nuint count, NcclDataType type, int peer, nint communicator, nint stream) =>
        _send(send, count, (int)type, peer, communicator, stream);

    public int Receive(nint receive, nuint count, NcclDataType type, int peer, nint communicator, nint stream) =>
        _receive(receive, count, (int)type, peer, communicator, stream);

    public int CommGetAsyncError(nint communicator, int* result) => _commGetAsyncError(communicator, result);

    public int CommDestroy(nint communicator) => _commDestroy(communicator);

    public int CommAbort(nint communicator) => _commAbort(communicator);

    public string GetErrorString(int result) => Marshal.PtrToStringUTF8(_getErrorString(result)) ?? $"error {result}";
}
