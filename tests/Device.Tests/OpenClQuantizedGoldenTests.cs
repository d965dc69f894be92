using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models.Quantization;
using Cluster.Worker.Tests.Models.Verification;

namespace Cluster.Device.Tests;

/// <summary>Whole quantized checkpoints on an OpenCL device against the logits of their dequantized twins.</summary>
public sealed class OpenClQuantizedGoldenTests
{
    private const float Tolerance = 1e-4f;

    public static TheoryData<string> Names => [.. QuantizedCheckpoints.Names];

    [Theory, MemberData(nameof(Names))]
    public void Logits_are_those_of_the_dequantized_model_in_chunks_as_in_one_step(string name)
    {
        var golden = GoldenFile.Open(QuantizedCheckpoints.Golden(name));
        var result = GoldenVerification.Verify(QuantizedCheckpoints.Folder(name), golden, OpenCl.Create, Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        Assert.True(result.MaxAbsDiff > 0, "an exact match means that nothing was compared");

        using var model = ModelLoader.Load(QuantizedCheckpoints.Folder(name), OpenCl.Create(), golden.RunnerOptions());
        ChunkedPrefill.AssertSameBits(model.Runner, golden, 7);
    }
}
