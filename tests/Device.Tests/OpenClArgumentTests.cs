using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;

namespace Cluster.Device.Tests;

/// <summary>What a launch writes to the driver.</summary>
public sealed class OpenClArgumentTests(ITestOutputHelper output)
{
    [Fact]
    public void A_decode_step_writes_only_the_arguments_that_have_changed()
    {
        var driver = new OpenClLauncher(OpenClDevice.All()[0], KernelCache.OfEnvironment());
        var launcher = new ArgumentCountingLauncher(driver);
        using var model = ModelLoader.Load(
            Fixtures.Checkpoint("llama3.1"), new IlgpuBackend(launcher, new IlgpuOptions()),
            GoldenFile.Open(Fixtures.Golden("llama3.1")).RunnerOptions());
        var sequences = new PackedSequences(model.Runner, 1, 12);
        sequences.Add(0, [3, 4, 5]);
        sequences.Run();
        var steps = new List<(long Launches, long Given, long Written)>();
        for (var step = 0; step < 4; step++)
        {
            var (launches, given, written) = (launcher.Launches, launcher.Given, driver.ArgumentsWritten);
            sequences.Add(0, [6 + step]);
            sequences.Run();
            steps.Add((launcher.Launches - launches, launcher.Given - given, driver.ArgumentsWritten - written));
            output.WriteLine($"step {step}: {steps[^1].Launches} launches of {steps[^1].Given} arguments, {steps[^1].Written} written");
        }

        Assert.All(steps, step => Assert.Equal(steps[0].Launches, step.Launches));
        Assert.All(steps.Skip(1), step => Assert.True(step.Written == 0, $"{step.Written} of {step.Given} arguments were written"));
    }

    [Fact]
    public void Memory_of_a_new_launch_is_written_even_where_the_driver_gives_a_handle_away_again()
    {
        using var launcher = new OpenClLauncher(OpenClDevice.All()[0], KernelCache.OfEnvironment());
        for (var round = 0; round < 8; round++)
        {
            using var memory = launcher.Allocate(64);
            var x = new MemoryRange(memory, 0, 16);
            launcher.Write(x, [.. Enumerable.Range(0, 4).SelectMany(i => BitConverter.GetBytes((float)(i + round)))]);
            launcher.Launch(BackendKernels.Add, new GridSize(1), x, x, 4);
            var read = new byte[16];
            launcher.Read(x, read);

            Assert.Equal(2f * (3 + round), BitConverter.ToSingle(read, 12));
        }
    }

    /// <summary>Counts what launches hand over, as the driver would be given it without memory of the last time.</summary>
    private sealed class ArgumentCountingLauncher(IKernelLauncher inner) : DelegatingLauncher(inner)
    {
        public long Launches { get; private set; }

        public long Given { get; private set; }

        public override void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
        {
            Launches++;
            foreach (var argument in arguments)
            {
                Given += argument.Memory is null ? 1 : 2;
            }

            base.Launch(kernel, grid, arguments);
        }
    }
}
