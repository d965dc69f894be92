namespace Cluster.Worker.Serving.Grpc;

/// <summary>Which <c>content-type</c>s are gRPC with protobuf messages.</summary>
internal static class GrpcContentType
{
    public const string Value = "application/grpc";

    /// <summary><c>application/grpc</c> or <c>application/grpc+proto</c>, with or without parameters; not <c>application/grpc-web</c>, not
    /// <c>+json</c>.</summary>
    public static bool Matches(string? contentType)
    {
        if (contentType is null || !contentType.StartsWith(Value, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        var rest = contentType.AsSpan(Value.Length);
        var parameters = rest.IndexOf(';');
        var subtype = (parameters < 0 ? rest : rest[..parameters]).TrimEnd();
        return subtype.IsEmpty || subtype.Equals("+proto", StringComparison.OrdinalIgnoreCase);
    }
}
