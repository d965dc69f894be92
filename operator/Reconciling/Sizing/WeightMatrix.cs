namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Matrices of a model that are all alike.</summary>
/// <param name="Count">How many there are in all layers and experts.</param>
/// <param name="Outputs">Rows of one.</param>
/// <param name="Inputs">Columns of one; 1 of vectors.</param>
/// <param name="Cut">How ranks share each of them.</param>
/// <param name="Format">How it is stored.</param>
internal sealed record WeightMatrix(long Count, long Outputs, long Inputs, WeightCut Cut, WeightFormat Format)
{
    /// <summary>A layer's multiplication, which a quantized checkpoint may store quantized; embeddings and vectors are not.</summary>
    public bool IsLinear { get; init; }

    public long Parameters => Count * Outputs * Inputs;

    public double Bytes(int elementBytes) => Count * Format.BytesOf(Outputs, Inputs, elementBytes);

    /// <summary>Whether so many GPUs can have parts of one size, and of what may not be cut.</summary>
    public bool Divides(int degree) => Cut switch
    {
        WeightCut.Outputs => Outputs % degree == 0,
        WeightCut.Inputs => Inputs % degree == 0 && Inputs / degree % Format.CutUnit == 0,
        _ => true,
    };
}
