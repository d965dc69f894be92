using Cluster.Operator.Commands;
using Cluster.Worker.Startup;

namespace Cluster.EndToEnd.Tests.Contracts;

public sealed class LocalDeviceTests
{
    [Fact]
    public void What_local_mode_may_tell_its_workers_they_know()
    {
        var words = LocalCommand.Create().Options.Single(option => option.Name == "--device").HelpName!.Split('|');

        Assert.Contains("opencl", words);
        Assert.All(words, word => Assert.Contains(word, BackendFactory.Devices));
        Assert.All(words, word => Assert.Null(BackendFactory.WhyNot(word)));
    }
}
