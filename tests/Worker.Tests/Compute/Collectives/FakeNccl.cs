using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

/// <summary>An <see cref="INccl"/> that writes down what it is asked and answers as told.</summary>
internal sealed unsafe class FakeNccl : INccl
{
    public const nint Handle = 4711;

    public List<string> Calls { get; } = [];

    /// <summary>The result of the function whose call begins like this; all others succeed.</summary>
    public (string Function, int Result) Fails { get; init; } = ("nothing", 0);

    public int AsyncError { get; set; }

    public string Name => "libfake.so";

    public int GetUniqueId(NcclUniqueId* id)
    {
        new Span<byte>(id, NcclUniqueId.Bytes).Fill(0xA5);
        return Answer("GetUniqueId");
    }

    public int CommInitRank(nint* communicator, int ranks, NcclUniqueId id, int rank)
    {
        *communicator = Handle;
        var expected = new byte[NcclUniqueId.Bytes];
        Array.Fill(expected, (byte)0xA5);
        var handedOver = new ReadOnlySpan<byte>(&id, NcclUniqueId.Bytes).SequenceEqual(expected);
        return Answer($"CommInitRank {rank} of {ranks}, id {(handedOver ? "of rank 0" : "unknown")}");
    }

    public int AllReduce(nint send, nint receive, nuint count, NcclDataType type, nint communicator, nint stream) =>
        Answer($"AllReduce {send} {receive} {count} {type} {communicator} {stream}");

    public int AllGather(nint send, nint receive, nuint sendCount, NcclDataType type, nint communicator, nint stream) =>
        Answer($"AllGather {send} {receive} {sendCount} {type} {communicator} {stream}");

    public int Broadcast(nint send, nint receive, nuint count, NcclDataType type, int root, nint communicator, nint stream) =>
        Answer($"Broadcast {send} {receive} {count} {type} {root} {communicator} {stream}");

    public int GroupStart() => Answer("GroupStart");

    public int GroupEnd() => Answer("GroupEnd");

    public int Send(nint send, nuint count, NcclDataType type, int peer, nint communicator, nint stream) =>
        Answer($"Send {send} {count} {type} {peer} {communicator} {stream}");

    public int Receive(nint receive, nuint count, NcclDataType type, int peer, nint communicator, nint stream) =>
        Answer($"Receive {receive} {count} {type} {peer} {communicator} {stream}");

    public int CommGetAsyncError(nint communicator, int* result)
    {
        *result = AsyncError;
        return Answer($"CommGetAsyncError {communicator}");
    }

    public int CommDestroy(nint communicator) => Answer($"CommDestroy {communicator}");

    public int CommAbort(nint communicator) => Answer($"CommAbort {communicator}");

    public string GetErrorString(int result) => $"error number {result}";

    private int Answer(string call)
    {
        Calls.Add(call);
        return call.StartsWith(Fails.Function, StringComparison.Ordinal) ? Fails.Result : 0;
    }
}
