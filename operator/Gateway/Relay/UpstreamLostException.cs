namespace Cluster.Operator.Gateway.Relay;

/// <summary>The connection to a replica broke while its answer was read. The client's connection breaks with the same exceptions of the
/// framework, so they are told apart where they come from.</summary>
internal sealed class UpstreamLostException(string message, Exception inner) : Exception(message, inner)
{
    /// <exception cref="UpstreamLostException">The connection broke.</exception>
    public static async ValueTask<int> ReadAsync(Stream stream, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.ReadAsync(buffer, cancellationToken);
        }
        catch (IOException broken)
        {
            throw new UpstreamLostException(broken.Message, broken);
        }
    }
}
