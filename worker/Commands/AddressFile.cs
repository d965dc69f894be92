namespace Cluster.Worker.Commands;

/// <summary>Tells others on this machine where the worker listens, whatever port and protocol it was given: the health check of the image
/// reads it. Written by <see cref="ServeCommand"/> when <c>CLUSTER_ADDRESS_FILE</c> names a file.</summary>
internal static class AddressFile
{
    public const string Variable = "CLUSTER_ADDRESS_FILE";

    /// <param name="address">Base address of the HTTP API.</param>
    /// <param name="variable">Reads the environment.</param>
    /// <param name="log">Told of a file that cannot be written, which keeps no worker from serving.</param>
    public static void Write(Uri address, Func<string, string?> variable, Action<string> log)
    {
        if (variable(Variable) is not { Length: > 0 } file)
        {
            return;
        }

        try
        {
            File.WriteAllText(file, ForCallers(address));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            log($"{Variable}={file} cannot be written, a health check that reads it will fail: {exception.Message}");
        }
    }

    /// <summary>What listens on every interface is reached by the loopback one.</summary>
    public static string ForCallers(Uri address)
    {
        var host = address.Host switch
        {
            "0.0.0.0" => "127.0.0.1",
            "[::]" => "[::1]",
            var other => other,
        };
        return $"{address.Scheme}://{host}:{address.Port}";
    }
}
