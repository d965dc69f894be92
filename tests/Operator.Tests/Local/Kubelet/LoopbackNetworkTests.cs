using Cluster.Operator.Local.Kubelet;

namespace Cluster.Operator.Tests.Local.Kubelet;

public class LoopbackNetworkTests
{
    [Fact]
    public void Clusters_side_by_side_have_networks_of_their_own()
    {
        var networks = Enumerable.Range(0, 8).AsParallel().Select(_ => LoopbackNetwork.Acquire()).ToArray();
        try
        {
            var addresses = networks.Select(network => network.Take()).ToArray();

            Assert.Equal(addresses.Length, addresses.Distinct().Count());
            Assert.All(addresses, address => Assert.EndsWith(".0.1", address, StringComparison.Ordinal));
        }
        finally
        {
            Array.ForEach(networks, network => network.Dispose());
        }
    }

    [Fact]
    public void An_address_given_back_is_taken_first()
    {
        using var network = LoopbackNetwork.Acquire();
        var (first, second) = (network.Take(), network.Take());
        network.Return(first);

        Assert.NotEqual(first, second);
        Assert.Equal(first, network.Take());
    }
}
