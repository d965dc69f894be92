using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Config;

/// <summary>Each frequency divided by a factor of its own: how GGUF files store Llama 3's scaling.</summary>
internal sealed record FactorRopeScaling : RopeScaling
{
    /// <summary><c>[rotaryDim / 2]</c></summary>
    public required double[] Factors { get; init; }

    /// <exception cref="CheckpointFormatException">There are more or fewer factors than frequencies, or they are not positive.</exception>
    public static FactorRopeScaling Of(RopeParameters rope, double[] factors, string file) =>
        factors.Length == rope.RotaryDim / 2 && factors.All(factor => factor > 0)
            ? new FactorRopeScaling { Factors = factors }
            : throw new CheckpointFormatException(
                file, $"has {factors.Length} factors of rotary frequencies; expected {rope.RotaryDim / 2}, each above 0");

    public override void Scale(RopeParameters rope, int maxPositions, Span<double> frequencies)
    {
        for (var i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] /= Factors[i];
        }
    }
}
