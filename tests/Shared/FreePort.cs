using System.Net;
using System.Net.Sockets;

namespace Cluster.Tests.Shared;

/// <summary>A loopback port that was free a moment ago, for programs that must be told one.</summary>
internal static class FreePort
{
    public static int Next()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
