using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Layers;

/// <content>Parts of stored tensors.</content>
internal sealed partial class WeightLoader
{
    /// <summary>A part's weights as <c>[out, in]</c>.</summary>
    /// <param name="copies">Receives what must be freed once the weights are loaded.</param>
    private HostTensor TakeWeight(WeightPart part, Slice inFeatures, List<TransposedMatrix> copies)
    {
        var stored = part.StoredOutputs;
        var (rows, columns) = part.Transposed ? (inFeatures.Full, stored) : (stored, inFeatures.Full);
        var whole = part.Expert is { } expert
            ? _tensors.Take(part.Tensor, part.Experts, rows, columns).Item(expert)
            : _tensors.Take(part.Tensor, rows, columns);
        if (part.Transposed)
        {
            var inputs = whole.RowRange(inFeatures.First, inFeatures.Count);
            copies.Add(new TransposedMatrix(inputs, part.FirstStored, part.Outputs.Count, part.Step));
            return copies[^1].Tensor;
        }

        var outputs = whole.RowRange(part.FirstStored, part.Outputs.Count, part.Step);
        return inFeatures.IsWhole ? outputs : outputs.ColumnRange(inFeatures.First, inFeatures.Count);
    }

    /// <summary>Null on a rank that does not add them; their shapes are checked there, too.</summary>
    private HostTensor[]? TakeBiases(IReadOnlyList<WeightPart> parts, Slice inFeatures)
    {
        HostTensor[] biases = [.. parts.Select(TakeBias)];
        return inFeatures.First == 0 ? biases : null;
    }

    private HostTensor TakeBias(WeightPart part)
    {
        var whole = part.Expert is { } expert
            ? _tensors.Take(part.BiasTensor, part.Experts, part.StoredOutputs).Item(expert)
            : _tensors.Take(part.BiasTensor, part.StoredOutputs);
        return whole.RowRange(part.FirstStored, part.Outputs.Count, part.Step);
    }
}
