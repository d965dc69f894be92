using System.CommandLine;
using Cluster.Operator.Commands;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Tests.Commands;

public sealed class WorkerPodOptionsTests
{
    [Fact]
    public void What_is_not_given_has_its_default()
    {
        var options = Read("image:1");
        Assert.Equal(("image:1", "amd", null), (options.Image, options.RuntimeClassName, options.HubCacheHostPath));
        Assert.Empty(options.ImagePullSecrets);
        Assert.Equal([44, 109], options.DeviceGroups);
    }

    [Fact]
    public void Lists_are_given_one_by_one()
    {
        var options = Read(
            null, "--worker-image", "i", "--runtime-class", "rc", "--hub-cache", "/hub", "--image-pull-secret", "a", "--image-pull-secret",
            "b", "--device-group", "39", "--device-group", "992");
        Assert.Equal(("i", "rc", "/hub"), (options.Image, options.RuntimeClassName, options.HubCacheHostPath));
        Assert.Equal(["a", "b"], options.ImagePullSecrets);
        Assert.Equal([39, 992], options.DeviceGroups);
    }

    [Theory]
    [InlineData("--device-group -1", "must not be negative")]
    [InlineData("--device-group video", "video")]
    [InlineData("", "--worker-image")]
    public void Nonsense_is_refused(string arguments, string message)
    {
        var parsed = Parse(null, arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), out _);
        Assert.Contains(parsed.Errors, e => e.Message.Contains(message, StringComparison.Ordinal));
    }

    private static WorkerOptions Read(string? defaultImage, params string[] arguments)
    {
        var parsed = Parse(defaultImage, arguments, out var options);
        Assert.Empty(parsed.Errors);
        return options.Read(parsed);
    }

    private static ParseResult Parse(string? defaultImage, string[] arguments, out WorkerPodOptions options)
    {
        options = new WorkerPodOptions(defaultImage);
        RootCommand command = [];
        options.AddTo(command);
        return command.Parse(arguments);
    }
}
