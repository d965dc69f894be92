using Cluster.Operator.Commands;
using Cluster.Worker.Startup;

namespace Cluster.EndToEnd.Tests.Contracts;

public sealed class LocalDeviceTests
{
    [Fact]
    public void What_local_mode_may_tell_its_workers_they_know()
    {
        var words = LocalCommand.Create().Options.Single(option => option.Name == "--device").HelpName!.Split('|');

        Assert.Contains("hip", words);
        Assert.Equal(BackendFactory.Devices, words);
    }
}
