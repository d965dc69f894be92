namespace Cluster.Worker.Compute.Collectives;

/// <summary>Ranks with a GPU each, connected by RCCL (AMD) or NCCL (NVIDIA).</summary>
/// <remarks>The libraries choose the order of a sum by the message's length and the links between the GPUs: all ranks hold the same bits,
/// but of more than two ranks not those that a sum in rank order has; the backend takes such sums by itself. Like the libraries' own
/// handles it is used by one thread at a time.</remarks>
internal sealed unsafe class NcclCommunicator : DeviceCommunicator
{
    private const int Success = 0;
    private const int RemoteError = 6;
    private const int InProgress = 7;

    private readonly INccl _nccl;
    private nint _communicator;
    private bool _broken;

    /// <summary>Joins all ranks of <paramref name="host"/> into a group of GPUs: rank 0 makes the id, the host group hands it over. Returns
    /// when all have joined.</summary>
    /// <param name="host">Must outlive this.</param>
    /// <exception cref="RankLostException">A rank is gone.</exception>
    /// <exception cref="InvalidOperationException">The library failed; names function and reason.</exception>
    public NcclCommunicator(INccl nccl, Communicator host)
        : base(host)
    {
        _nccl = nccl;
        NcclUniqueId id = default;

        // Rank 0's failure must not leave the others waiting, so the result travels with the id.
        var message = new byte[sizeof(int) + NcclUniqueId.Bytes].AsSpan();
        if (Rank == 0)
        {
            BitConverter.TryWriteBytes(message, nccl.GetUniqueId(&id));
            new ReadOnlySpan<byte>(&id, NcclUniqueId.Bytes).CopyTo(message[sizeof(int)..]);
        }

        host.Broadcast(message, root: 0);
        Check(BitConverter.ToInt32(message), "ncclGetUniqueId");
        message[sizeof(int)..].CopyTo(new Span<byte>(&id, NcclUniqueId.Bytes));
        nint communicator = 0;
        Check(nccl.CommInitRank(&communicator, Size, id, Rank), "ncclCommInitRank");
        _communicator = communicator;
    }

    public override void AllReduce(nint values, long count, nint stream) =>
        Check(_nccl.AllReduce(values, values, checked((nuint)count), NcclDataType.Float32, Communicator, stream), "ncclAllReduce");

    public override void AllGather(nint part, nint all, long count, nint stream) =>
        Check(_nccl.AllGather(part, all, checked((nuint)count), NcclDataType.Float32, Communicator, stream), "ncclAllGather");

    public override void Broadcast(nint values, long bytes, int root, nint stream) =>
        Check(_nccl.Broadcast(values, values, checked((nuint)bytes), NcclDataType.UInt8, root, Communicator, stream), "ncclBroadcast");

    public override void Exchange(ReadOnlySpan<RankMessage> messages, nint stream)
    {
        Check(_nccl.GroupStart(), "ncclGroupStart");
        foreach (var (peer, address, count, isReceived) in messages)
        {
            if (isReceived)
            {
                Check(_nccl.Receive(address, checked((nuint)count), NcclDataType.Float32, peer, Communicator, stream), "ncclRecv");
            }
            else
            {
                Check(_nccl.Send(address, checked((nuint)count), NcclDataType.Float32, peer, Communicator, stream), "ncclSend");
            }
        }

        Check(_nccl.GroupEnd(), "ncclGroupEnd");
    }

    public override void CheckHealth()
    {
        int result;
        Check(_nccl.CommGetAsyncError(Communicator, &result), "ncclCommGetAsyncError");
        if (result is not (Success or InProgress))
        {
            _broken = true;
            throw new RankLostException(
                $"rank {Rank}: {_nccl.Name} reports '{_nccl.GetErrorString(result)}' ({result}); a rank or its GPU is gone");
        }
    }

    /// <summary>Leaves the group. After a failure its operations, which may wait for a dead rank, are ended first.</summary>
    public override void Dispose()
    {
        if (_communicator != 0)
        {
            // A failure here has nobody left to act on it: the handle is gone either way.
            _ = _broken ? _nccl.CommAbort(_communicator) : _nccl.CommDestroy(_communicator);
            _communicator = 0;
        }
    }

    private nint Communicator
    {
        get
        {
            ObjectDisposedException.ThrowIf(_communicator == 0, this);
            return _communicator;
        }
    }

    private void Check(int result, string function)
    {
        if (result == Success)
        {
            return;
        }

        _broken = true;
        var message = $"rank {Rank}: {function} of {_nccl.Name} failed with '{_nccl.GetErrorString(result)}' ({result})";
        throw result == RemoteError ? new RankLostException(message) : new InvalidOperationException(message);
    }
}
