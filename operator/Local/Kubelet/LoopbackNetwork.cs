using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>A 127.N.0.0/16 of this machine for one local cluster: each pod gets an address of its own in it, so that every worker keeps the
/// standard ports, several local clusters can run side by side, and nothing is reachable from outside.</summary>
/// <remarks>Ownership is a listening socket at 127.N.255.254, which the kernel releases however this process ends. It has to listen:
/// sockets that are only bound may share an address, as .NET lets them reuse it.</remarks>
internal sealed class LoopbackNetwork : IDisposable
{
    private const int ClaimPort = 6443;

    private readonly Socket _claim;
    private readonly int _network;
    private readonly Lock _gate = new();
    private readonly SortedSet<int> _used = [];

    private LoopbackNetwork(Socket claim, int network)
    {
        _claim = claim;
        _network = network;
    }

    /// <summary>The first network that no other local cluster holds.</summary>
    /// <exception cref="InvalidOperationException">All are taken, or the system has no addresses beyond 127.0.0.1.</exception>
    public static LoopbackNetwork Acquire()
    {
        var inUse = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(NetworkOf).ToHashSet();
        for (var network = 1; network < 255; network++)
        {
            if (inUse.Contains(network))
            {
                // Nobody claims it, but somebody listens there: workers of a cluster that was killed a moment ago, say.
                continue;
            }

            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.ExclusiveAddressUse = true;
                socket.Bind(new IPEndPoint(IPAddress.Parse(Address(network, 0xfffe)), ClaimPort));
                socket.Listen(1);
                return new LoopbackNetwork(socket, network);
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                socket.Dispose();
            }
            catch (SocketException exception)
            {
                socket.Dispose();
                throw new InvalidOperationException(
                    $"pods need loopback addresses of their own, and {Address(network, 1)} cannot be used on this system: "
                    + $"{exception.Message}", exception);
            }
        }

        throw new InvalidOperationException("all 254 loopback networks are held by other local clusters");
    }

    /// <summary>The lowest free address.</summary>
    public string Take()
    {
        lock (_gate)
        {
            var host = 1;
            while (!_used.Add(host))
            {
                host++;
            }

            return Address(_network, host);
        }
    }

    public void Return(string address)
    {
        var bytes = IPAddress.Parse(address).GetAddressBytes();
        lock (_gate)
        {
            _used.Remove((bytes[2] << 8) | bytes[3]);
        }
    }

    public void Dispose() => _claim.Dispose();

    /// <summary>N of a listener at 127.N.x.y; 0 for any other.</summary>
    private static int NetworkOf(IPEndPoint listener)
    {
        var bytes = listener.Address.MapToIPv4().GetAddressBytes();
        return listener.AddressFamily == AddressFamily.InterNetwork && bytes[0] == 127 ? bytes[1] : 0;
    }

    private static string Address(int network, int host) =>
        string.Create(CultureInfo.InvariantCulture, $"127.{network}.{host >> 8}.{host & 255}");
}
