namespace Cluster.Worker.Compute;

/// <summary>A linear layer's weights (and bias) in the layout the backend multiplies best.</summary>
internal abstract class LinearWeight(string name, int inFeatures, int outFeatures)
{
    public string Name { get; } = name;

    public int InFeatures { get; } = inFeatures;

    public int OutFeatures { get; } = outFeatures;

    /// <summary>Memory the weights keep resident on the device, packing and scales included.</summary>
    public abstract long ResidentBytes { get; }
}

/// <summary>The same linear layer of every expert of a mixture. A backend that multiplies them together may derive its own from
/// it.</summary>
internal class ExpertWeights(string name, IReadOnlyList<LinearWeight> experts)
{
    public string Name { get; } = name;

    public IReadOnlyList<LinearWeight> Experts { get; } = experts;

    public int InFeatures => Experts[0].InFeatures;

    public int OutFeatures => Experts[0].OutFeatures;
}

/// <summary>A token or position embedding table on the device.</summary>
internal abstract class EmbeddingTable(string name, int rows, int columns)
{
    public string Name { get; } = name;

    public int Rows { get; } = rows;

    public int Columns { get; } = columns;

    public abstract long ResidentBytes { get; }
}

/// <summary>Cosines and sines of rotary position embedding: what <see cref="Backend.RopeAndCache"/> turns by.</summary>
/// <param name="InverseFrequencies">One angle per position step for each rotated pair, <c>[rotaryDim / 2]</c>; scaling variants are folded
/// in.</param>
/// <param name="AttentionScale">Multiplies cosines and sines (YaRN's mscale); 1 otherwise.</param>
/// <param name="MaxPositions">Positions the table must cover.</param>
internal sealed record RopeFrequencies(float[] InverseFrequencies, float AttentionScale, int MaxPositions)
{
    /// <summary>Element 2i is turned with element 2i + 1 (GPT-J); otherwise i with i + rotaryDim/2 (the Hugging Face "half"
    /// convention).</summary>
    public bool Interleaved { get; init; }

    /// <summary>First element of a head that is rotated; multi-head latent attention rotates the last ones.</summary>
    public int FirstDim { get; init; }
}

/// <summary>A rotary table on the device, made by <see cref="Backend.LoadRope"/>.</summary>
internal abstract class RopeTable(RopeFrequencies frequencies)
{
    /// <summary>Elements of a head that are rotated, from <see cref="FirstDim"/> on.</summary>
    public int RotaryDim { get; } = 2 * frequencies.InverseFrequencies.Length;

    public int MaxPositions { get; } = frequencies.MaxPositions;

    /// <summary>See <see cref="RopeFrequencies.Interleaved"/>.</summary>
    public bool Interleaved { get; } = frequencies.Interleaved;

    /// <summary>See <see cref="RopeFrequencies.FirstDim"/>.</summary>
    public int FirstDim { get; } = frequencies.FirstDim;

    /// <exception cref="ArgumentException">Heads have fewer elements than are rotated.</exception>
    public void RequireHeads(int headDim)
    {
        if (FirstDim + RotaryDim > headDim)
        {
            throw new ArgumentException(
                $"the rope table rotates {RotaryDim} dimensions from {FirstDim} on, of heads that have {headDim}");
        }
    }
}
