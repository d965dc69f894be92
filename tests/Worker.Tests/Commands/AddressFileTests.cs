using Cluster.Worker.Commands;

namespace Cluster.Worker.Tests.Commands;

public sealed class AddressFileTests
{
    [Theory]
    [InlineData("http://0.0.0.0:8001/", "http://127.0.0.1:8001")]
    [InlineData("https://[::]:8443/", "https://[::1]:8443")]
    [InlineData("http://10.1.2.3:80/", "http://10.1.2.3:80")]
    public void An_address_is_one_that_can_be_called(string listening, string written)
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "address");

        AddressFile.Write(new Uri(listening), name => name == AddressFile.Variable ? file : null, Assert.Fail);

        Assert.Equal(written, File.ReadAllText(file));
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_told_and_ends_nothing()
    {
        var lines = new List<string>();

        AddressFile.Write(new Uri("http://127.0.0.1:1"), _ => "/proc/none/address", lines.Add);

        Assert.StartsWith("CLUSTER_ADDRESS_FILE=/proc/none/address cannot be written", Assert.Single(lines), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_the_variable_nothing_is_written() => AddressFile.Write(new Uri("http://127.0.0.1:1"), _ => null, Assert.Fail);
}
