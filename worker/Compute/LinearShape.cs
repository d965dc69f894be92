using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute;

/// <summary>Checks that the parts of a linear layer stack, before anything is allocated for them.</summary>
internal static class LinearShape
{
    /// <exception cref="NotSupportedException">A dtype cannot be read.</exception>
    /// <exception cref="ArgumentException">Parts or biases do not fit together; names tensor, shape and what would fit.</exception>
    public static (int InFeatures, int OutFeatures) Check(string name, IReadOnlyList<HostTensor> parts, IReadOnlyList<HostTensor>? biases)
    {
        if (parts.Count == 0)
        {
            throw new ArgumentException($"linear layer '{name}' has no weights");
        }

        if (biases is not null && biases.Count != parts.Count)
        {
            throw new ArgumentException(
                $"linear layer '{name}' has {parts.Count} weights and {biases.Count} biases; each weight needs one");
        }

        var inFeatures = parts[0].RowLength;
        var outFeatures = 0;
        for (var i = 0; i < parts.Count; i++)
        {
            var part = parts[i];
            WeightReader.RequireReadable(part);
            if (part.Shape.Length != 2 || part.Shape[1] != inFeatures || inFeatures == 0)
            {
                throw new ArgumentException(
                    $"tensor '{part.Name}' has shape [{string.Join(", ", part.Shape)}]; linear layer '{name}' needs [out, {inFeatures}]");
            }

            if (biases is not null)
            {
                WeightReader.RequireReadable(biases[i]);
                if (biases[i].Shape.Length != 1 || biases[i].Shape[0] != part.Rows)
                {
                    throw new ArgumentException(
                        $"tensor '{biases[i].Name}' has shape [{string.Join(", ", biases[i].Shape)}]; the bias of '{part.Name}' needs "
                        + $"[{part.Rows}]");
                }
            }

            outFeatures = checked(outFeatures + part.Rows);
        }

        return (inFeatures, outFeatures);
    }

    /// <exception cref="NotSupportedException">A bias' dtype cannot be read.</exception>
    /// <exception cref="ArgumentException">Parts or biases do not fit together; names layer, shape and what would fit.</exception>
    public static (int InFeatures, int OutFeatures) Check(
        string name, IReadOnlyList<QuantizedMatrix> parts, IReadOnlyList<HostTensor>? biases)
    {
        if (parts.Count == 0 || (biases is not null && biases.Count != parts.Count))
        {
            throw new ArgumentException(
                $"linear layer '{name}' has {parts.Count} weights and {biases?.Count ?? 0} biases; each weight needs one, or none has");
        }

        var outFeatures = 0;
        for (var i = 0; i < parts.Count; i++)
        {
            var part = parts[i];
            if (part.InFeatures != parts[0].InFeatures)
            {
                throw new ArgumentException(
                    $"'{part.Name}' has {part.InFeatures} inputs; linear layer '{name}' needs {parts[0].InFeatures}");
            }

            if (biases is not null)
            {
                WeightReader.RequireReadable(biases[i]);
                if (biases[i].Shape is not [var length] || length != part.OutFeatures)
                {
                    throw new ArgumentException(
                        $"tensor '{biases[i].Name}' has shape [{string.Join(", ", biases[i].Shape)}]; the bias of '{part.Name}' needs "
                        + $"[{part.OutFeatures}]");
                }
            }

            outFeatures = checked(outFeatures + part.OutFeatures);
        }

        return (parts[0].InFeatures, outFeatures);
    }
}
