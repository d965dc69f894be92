namespace Cluster.Worker.Models.Config;

/// <summary>Rounding to bf16. Used for constants of a model that was cast to bf16 as a whole
/// (<see cref="ModelConfig.WithConstantsRoundedTo"/>).</summary>
internal static class BFloat16
{
    /// <summary>The nearest bf16 value, ties to even.</summary>
    public static float Round(float value) => BitConverter.UInt32BitsToSingle((uint)Bits(value) << 16);

    /// <summary>Its bits.</summary>
    public static ushort Bits(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
