using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;

namespace Cluster.Worker.Tests.Models.Verification;

/// <summary>Kernels as ILGPU interprets them against the results of Hugging Face transformers: the beginning of one prompt, since the
/// interpreter takes its time. OpenCL devices are put to all of <see cref="GoldenTests"/>.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class InterpreterGoldenTests
{
    private const float Tolerance = 2e-3f;

    /// <summary>Tokens of the prompt: some in one step, then one at a time as in decoding.</summary>
    private static readonly int[] Steps = [6, 1, 1];

    [Theory]
    [InlineData("llama2", nameof(DType.BF16))]
    [InlineData("mixtral", nameof(DType.BF16))]
    [InlineData("gemma2", nameof(DType.BF16))]
    [InlineData("haiku-1m", nameof(DType.F32))]
    public void Logits_are_those_of_the_reference_implementation(string name, string constants)
    {
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        var (config, weights) = ModelLoader.Open(Fixtures.Checkpoint(name));
        using var model = ModelLoader.Load(
            config.WithConstantsRoundedTo(Enum.Parse<DType>(constants)), weights,
            new IlgpuBackend(new InterpreterLauncher(1L << 30), new IlgpuOptions()), golden.RunnerOptions());
        var sequence = new PackedSequences(model.Runner, 1, Steps.Sum());
        var position = 0;
        foreach (var count in Steps)
        {
            sequence.Add(0, golden.Prompt(0).AsSpan(position, count));
            var logits = sequence.Run();
            for (var row = 0; row < count; row++)
            {
                float[] expected = [.. golden.Logits(0, position + row)];
                var actual = logits.Slice(row * model.Runner.VocabSize, model.Runner.VocabSize);
                Assert.Equal(expected, actual.ToArray(), (one, other) => Math.Abs(one - other) < Tolerance);
                Assert.Equal(expected.AsSpan().IndexOf(expected.Max()), LogitMath.IndexOf(actual, LogitMath.Max(actual)));
            }

            position += count;
        }
    }
}
