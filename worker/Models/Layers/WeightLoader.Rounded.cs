using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Quantization;

namespace Cluster.Worker.Models.Layers;

/// <content>Layers whose weights become codes while they are loaded.</content>
internal sealed partial class WeightLoader
{
    /// <summary>How weights of a source that is not quantized are rounded; null where they stay as they are stored.</summary>
    public WeightRounding? Rounding { get; init; }

    private LinearWeight RoundedLinear(string name, IReadOnlyList<WeightPart> parts, Slice inFeatures, HostTensor[]? biases)
    {
        var copies = new List<TransposedMatrix>();
        var codes = new List<NativeBlock>();
        try
        {
            var weights = new QuantizedMatrix[parts.Count];
            for (var i = 0; i < parts.Count; i++)
            {
                var whole = TakeWeight(parts[i], inFeatures.Full, copies);
                codes.Add(new NativeBlock((long)whole.Rows * inFeatures.Count));
                weights[i] = Round(parts[i], whole, inFeatures, codes[^1]);
                ReplicatedBytes += inFeatures.IsWhole ? 0 : (long)whole.Rows * Rounding!.OutputBytes;
            }

            return Loaded(name, backend.LoadLinear(name, weights, biases), weights, biases, inFeatures, parts);
        }
        finally
        {
            copies.ForEach(copy => copy.Dispose());
            codes.ForEach(block => block.Dispose());
        }
    }

    private QuantizedMatrix Round(WeightPart part, HostTensor whole, Slice inFeatures, NativeBlock codes)
    {
        try
        {
            return Rounding!.Round(part.Name, whole, inFeatures, codes);
        }
        catch (AggregateException e) when (e.InnerException is ArithmeticException inner)
        {
            throw new CheckpointFormatException(source.Location, inner.Message);
        }
    }
}
