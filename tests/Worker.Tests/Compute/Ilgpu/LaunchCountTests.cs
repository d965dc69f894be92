using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>How many kernels a layer takes in a decode step.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class LaunchCountTests
{
    private const string Attention = "PagedAttention.Attend";

    [Theory]
    [InlineData("llama3.1", 8)]
    [InlineData("qwen3", 8)]
    [InlineData("gemma2", 10)]
    [InlineData("mixtral", 12)]
    public void A_layer_takes_no_more_launches_than_are_documented(string name, int most)
    {
        var launcher = new CountingLauncher(new InterpreterLauncher(1L << 30));
        using var model = ModelLoader.Load(
            Fixtures.Checkpoint(name), new IlgpuBackend(launcher, new IlgpuOptions()),
            GoldenFile.Open(Fixtures.Golden(name)).RunnerOptions());
        var sequences = new PackedSequences(model.Runner, 1, 8);
        sequences.Add(0, [3, 4, 5]);
        sequences.Run();
        launcher.Launched.Clear();

        sequences.Add(0, [6]);
        sequences.Run();

        // From one layer's attention to the next one's.
        var layers = launcher.Launched.Index().Where(one => one.Item.StartsWith(Attention, StringComparison.Ordinal))
            .Select(one => one.Index).ToArray();
        Assert.True(layers.Length > 1, "there is no layer after the first");
        Assert.All(layers.Zip(layers.Skip(1)), pair => Assert.True(
            pair.Second - pair.First <= most,
            $"{pair.Second - pair.First} launches: {string.Join(", ", launcher.Launched[pair.First..pair.Second])}"));
    }
}
