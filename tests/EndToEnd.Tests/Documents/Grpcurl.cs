using Cluster.Worker.Protos.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>grpcurl is not among the clients of the tests. Its method and its message are checked against the contract.</summary>
internal static class Grpcurl
{
    private const string Health = "grpc.health.v1.Health/Check";

    public static IEnumerable<string> Check(Invocation one)
    {
        if (one.Arguments is not ["-plaintext", "-d", var json, _, var path])
        {
            yield return "expected -plaintext -d MESSAGE ADDRESS SERVICE/METHOD";
            yield break;
        }

        if (path == Health)
        {
            yield break;
        }

        var method = TextGenerationReflection.Descriptor.Services
            .SelectMany(service => service.Methods).SingleOrDefault(candidate => $"{candidate.Service.FullName}/{candidate.Name}" == path);
        if (method is null)
        {
            yield return $"there is no method {path}";
        }
        else if (Problem(json, method.InputType) is { } problem)
        {
            yield return problem;
        }
    }

    private static string? Problem(string json, MessageDescriptor type)
    {
        try
        {
            JsonParser.Default.Parse(json, type);
            return null;
        }
        catch (Exception exception) when (exception is InvalidProtocolBufferException or InvalidJsonException)
        {
            return $"{json} is no {type.FullName}: {exception.Message}";
        }
    }
}
