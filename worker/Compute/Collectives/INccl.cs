namespace Cluster.Worker.Compute.Collectives;

/// <summary>The functions of RCCL and NCCL that a rank needs, named and typed as in nccl.h; all but <see cref="GetErrorString"/> return an
/// <c>ncclResult_t</c>. Called by <see cref="NcclCommunicator"/>; implemented by <see cref="NcclLibrary"/>.</summary>
internal unsafe interface INccl
{
    /// <summary>The library's file name, for messages.</summary>
    string Name { get; }

    int GetUniqueId(NcclUniqueId* id);

    int CommInitRank(nint* communicator, int ranks, NcclUniqueId id, int rank);

    /// <summary>Sum over ranks.</summary>
    int AllReduce(nint send, nint receive, nuint count, NcclDataType type, nint communicator, nint stream);

    int AllGather(nint send, nint receive, nuint sendCount, NcclDataType type, nint communicator, nint stream);

    int Broadcast(nint send, nint receive, nuint count, NcclDataType type, int root, nint communicator, nint stream);

    /// <summary>Between it and <see cref="GroupEnd"/>, messages between pairs only begin: they are enqueued together.</summary>
    int GroupStart();

    int GroupEnd();

    int Send(nint send, nuint count, NcclDataType type, int peer, nint communicator, nint stream);

    int Receive(nint receive, nuint count, NcclDataType type, int peer, nint communicator, nint stream);

    /// <summary>What went wrong since, on a stream or on the network.</summary>
    int CommGetAsyncError(nint communicator, int* result);

    /// <summary>Frees a communicator whose operations have ended.</summary>
    int CommDestroy(nint communicator);

    /// <summary>Ends the operations of a communicator that may never end by themselves, and frees it.</summary>
    int CommAbort(nint communicator);

    string GetErrorString(int result);
}
