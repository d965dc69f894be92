using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Decode steps as graphs, on a fake GPU that runs what was captured.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class GraphTests : IDisposable
{
    /// <summary>Sequences of each step. The third, sixth and ninth of a kind are replays.</summary>
    private static readonly int[][] Steps = [[0, 1, 2], [0, 1, 2], [0, 1, 2], [1], [1], [1], [0, 2, 1], [2, 0], [2, 0], [0, 2]];

    private readonly FakeGpu _gpu = FakeGpu.Cuda();

    public void Dispose() => _gpu.Dispose();

    [Theory, InlineData("llama2"), InlineData("mixtral")]
    public void Replayed_steps_have_the_bits_of_computed_ones_whatever_fills_them_up(string name)
    {
        var eager = Run(name, 0);
        Assert.Equal(0, _gpu.Replays);
        var captured = Run(name, 8192);

        Assert.Equal(eager, captured);
        Assert.True(_gpu.Replays > 4, $"{_gpu.Replays} replays");
        Assert.Equal("", _gpu.Text);
        Assert.Equal(0, _gpu.MemoryUsed);
    }

    [Fact]
    public void Steps_with_a_sequence_that_is_too_long_are_computed()
    {
        var short16 = Run("llama2", 15);
        var replays = _gpu.Replays;

        Assert.Equal(Run("llama2", 8192), short16);
        Assert.True(_gpu.Replays - replays > replays, $"{replays} and {_gpu.Replays - replays} replays");
    }

    [Fact]
    public void A_driver_that_captures_nothing_computes_every_step()
    {
        var expected = Run("llama2", 0);
        _gpu.SetCapturable(false);

        Assert.Equal(expected, Run("llama2", 8192));
        Assert.Equal(0, _gpu.Replays);
    }

    [Theory]
    [InlineData(1, 256, 1)]
    [InlineData(3, 256, 4)]
    [InlineData(9, 256, 16)]
    [InlineData(17, 256, 32)]
    [InlineData(255, 256, 256)]
    [InlineData(5, 6, 6)]
    [InlineData(33, 40, 40)]
    public void Few_numbers_of_sequences_serve_all(int sequences, int most, int bucket) =>
        Assert.Equal(bucket, DecodeBucket.Of(sequences, most));

    /// <summary>For the steps of <see cref="Decode"/>.</summary>
    internal static ModelRunnerOptions Options(int maxLengthToCapture) => new()
    {
        MaxSequences = 4,
        MaxBatchedTokens = 64,
        MaxLogits = 64,
        MaxModelLength = 64,
        NumBlocks = 16,
        SampleOnDevice = false,
        MaxLengthToCapture = maxLengthToCapture,
    };

    /// <summary>Logits of a prompt that three sequences begin with, and of steps of one to three of them.</summary>
    internal static float[] Decode(IModelRunner runner, ReadOnlySpan<int> prompt)
    {
        var sequences = new PackedSequences(runner, 3, 40);
        for (var sequence = 0; sequence < 3; sequence++)
        {
            sequences.Add(sequence, prompt[..(13 - sequence)]);
        }

        var logits = new List<float>();
        logits.AddRange(sequences.Run());
        foreach (var step in Steps)
        {
            foreach (var sequence in step)
            {
                sequences.Add(sequence, [(sequence + logits.Count) % 50]);
            }

            logits.AddRange(sequences.Run());
        }

        return [.. logits];
    }

    private float[] Run(string name, int maxLengthToCapture)
    {
        var device = CudaDevice.All([_gpu.LibraryPath])[0];
        var backend = new IlgpuBackend(
            new GpuLauncher(new CudaDriver(device), new CudaImages(device.Target, KernelCache.OfEnvironment()), device.MatrixCores),
            new IlgpuOptions());
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), backend, Options(maxLengthToCapture));
        return Decode(model.Runner, GoldenFile.Open(Fixtures.Golden(name)).Prompt(0));
    }
}
