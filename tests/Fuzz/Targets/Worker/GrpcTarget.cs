using System.Text;
using Cluster.Worker.Tests.Fuzz;
using Grpc.Core;
using Grpc.Net.Client;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>Messages at every gRPC method of a real worker. The input is a line with service and method, an empty one, and the
/// message.</summary>
internal sealed class GrpcTarget : IFuzzTarget
{
    private readonly ServingWorker _worker = new();
    private readonly GrpcChannel _channel;
    private readonly CallInvoker _calls;

    public GrpcTarget(string name)
    {
        Name = name;
        _channel = GrpcChannel.ForAddress(_worker.GrpcAddress);
        _calls = _channel.CreateCallInvoker();
    }

    public string Name { get; }

    public IReadOnlyList<byte[]> Seeds { get; } =
        [.. GrpcSeeds.All.Select(seed => HeadMutator.Join(Encoding.UTF8.GetBytes($"{seed.Service}/{seed.Name}"), seed.Message))];

    public IMutator Mutator { get; } = new HeadMutator(
        new ByteMutator(), new AnyMutator(new ProtobufMutator(), new ByteMutator()), headOneOf: 40);

    public FuzzLimits Limits { get; } = FuzzLimits.Default with { ProcessorTime = TimeSpan.FromSeconds(30), Cost = 8 };

    public Verdict Run(byte[] input)
    {
        var (head, message) = HeadMutator.Split(input);
        if (Encoding.UTF8.GetString(head).Split('/') is not [{ Length: > 0 } service, { Length: > 0 } name] || !Ascii.IsValid(head))
        {
            return Verdict.Refused("no method");
        }

        Method<byte[], byte[]> method = new(
            MethodType.ServerStreaming, service, name, Marshallers.Create(bytes => bytes, bytes => bytes),
            Marshallers.Create(bytes => bytes, bytes => bytes));
        var status = CallAsync(method, message).GetAwaiter().GetResult();
        _worker.RequireNoErrors();
        return status.StatusCode switch
        {
            StatusCode.OK => Verdict.Accepted,
            StatusCode.Unknown or StatusCode.DataLoss when !IsClients(status) =>
                throw new FuzzFailure("no message is the server's failure", status.ToString()),

            // Bytes that are no message are INTERNAL by gRPC's own table of status codes.
            StatusCode.Internal when status.Detail.StartsWith("internal error", StringComparison.Ordinal) =>
                throw new FuzzFailure("no message is the server's failure", status.ToString()),
            _ => Verdict.Refused(status.ToString()),
        };
    }

    public void Dispose()
    {
        _channel.Dispose();
        _worker.Dispose();
    }

    /// <summary>What the client makes of a path that is no method's, or cannot be sent.</summary>
    private static bool IsClients(Status status) => status.Detail.StartsWith("Error starting gRPC call", StringComparison.Ordinal)
        || status.Detail.StartsWith("Bad gRPC response", StringComparison.Ordinal);

    private async Task<Status> CallAsync(Method<byte[], byte[]> method, byte[] message)
    {
        using var call = _calls.AsyncServerStreamingCall(method, null, default, message);
        try
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
            {
            }

            return Status.DefaultSuccess;
        }
        catch (RpcException exception)
        {
            return exception.Status;
        }
    }
}
