using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Quantization;

namespace Cluster.Worker.Models.Layers;

/// <content>Layers whose weights are codes.</content>
internal sealed partial class WeightLoader
{
    /// <summary>How the source's layers are quantized; null when none is.</summary>
    public QuantizationScheme? Quantization { get; init; }

    /// <summary>Whether a stacked layer is quantized.</summary>
    /// <exception cref="CheckpointFormatException">Some of its parts are and some are not.</exception>
    private bool IsQuantized(string name, IReadOnlyList<WeightPart> parts)
    {
        if (Quantization is null)
        {
            return false;
        }

        var first = IsQuantized(parts[0]);
        return parts.All(part => IsQuantized(part) == first)
            ? first
            : throw new CheckpointFormatException(
                source.Location,
                $"quantizes only some of {string.Join(", ", parts.Select(part => part.Name))}; '{name}' multiplies by all of them at once");
    }

    /// <summary>Checkpoints leave layers as they were without always saying so: what can be read as it is, is.</summary>
    private bool IsQuantized(WeightPart part) =>
        Quantization!.Quantizes(part.Name)
        && (Has(part.Name + Quantization.MarkerSuffix)
            || source.Find(part.Tensor) is not { } plain
            || !WeightReader.CanRead(plain.DType));

    /// <summary>AutoGPTQ writes a bias beside every quantized layer, of zeros where the model has none. vLLM and transformers drop such a
    /// tensor whatever it holds; one that would change the outputs is refused here.</summary>
    private bool IsEmptyBias(string name)
    {
        const string Bias = ".bias";
        if (Quantization is null
            || !name.EndsWith(Bias, StringComparison.Ordinal)
            || !Has(name[..^Bias.Length] + Quantization.MarkerSuffix))
        {
            return false;
        }

        var bias = source.Find(name)!;
        var bad = WeightReader.CanRead(bias.DType) ? Array.FindIndex(WeightReader.ReadAll(bias), value => value != 0) : 0;
        GC.KeepAlive(bias);
        return bad < 0
            ? true
            : throw _tensors.Wrong(
                name, $"is not zero (element {bad}), but config.json gives the layer no bias; expected zeros, or no bias");
    }

    private LinearWeight QuantizedLinear(string name, IReadOnlyList<WeightPart> parts, Slice inFeatures, HostTensor[]? biases)
    {
        var weights = new QuantizedMatrix[parts.Count];
        for (var i = 0; i < parts.Count; i++)
        {
            var layer = new LayerTensors(_tensors, Quantization!.Method, parts[i], inFeatures);
            weights[i] = Quantization.Read(layer);
            ReplicatedBytes += layer.ReplicatedBytes;
        }

        return Loaded(name, backend.LoadLinear(name, weights, biases), weights, biases, inFeatures, parts);
    }
}
