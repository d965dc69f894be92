using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Quantization;

namespace Cluster.Worker.Models;

/// <summary>Takes tensors from a <see cref="WeightSource"/>, checks their shapes and hands them to the backend, counting bytes on both sides.
/// Called by <see cref="Transformer"/> while it is built.</summary>
internal sealed partial class WeightLoader(WeightSource source, Backend backend, IProgress<LoadProgress>? progress)
{
    private readonly HashSet<string> used = new(StringComparer.Ordinal);
    private readonly long totalBytes = source.TotalBytes;
    private long bytesDone;

    /// <summary>Device memory that everything loaded so far keeps.</summary>
    public long ResidentBytes { get; private set; }

    /// <summary>A vector of <paramref name="length"/> elements, such as a norm's weight.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public Tensor Vector(string name, int length)
    {
        var host = Take(name, length);
        var tensor = backend.LoadVector(host);
        GC.KeepAlive(host);
        ResidentBytes += tensor.Buffer.ByteLength;
        Report(name);
        return tensor;
    }

    /// <summary>A <c>[rows, columns]</c> table of embeddings.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public EmbeddingTable Embedding(string name, int rows, int columns)
    {
        var host = Take(name, rows, columns);
        var table = backend.LoadEmbedding(host);
        GC.KeepAlive(host);
        ResidentBytes += table.ResidentBytes;
        Report(name);
        return table;
    }

    /// <summary>Linear layers stacked into one multiplication; part i is <c>[outFeatures[i], inFeatures]</c>.</summary>
    /// <param name="name">What the stacked layer is called in traces.</param>
    /// <param name="parts">Names without <c>.weight</c> and <c>.bias</c>.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public LinearWeight Linear(string name, IReadOnlyList<string> parts, int inFeatures, ReadOnlySpan<int> outFeatures, bool bias)
    {
        if (IsQuantized(name, parts))
        {
            return QuantizedLinear(name, parts, inFeatures, outFeatures, bias);
        }

        var weights = new HostTensor[parts.Count];
        var biases = bias ? new HostTensor[parts.Count] : null;
        for (var i = 0; i < parts.Count; i++)
        {
            weights[i] = Take(parts[i] + ".weight", outFeatures[i], inFeatures);
            if (biases is not null)
            {
                biases[i] = Take(parts[i] + ".bias", outFeatures[i]);
            }
        }

        return Load(name, weights, biases);
    }

    /// <summary>A single matrix under its full name, such as the output matrix.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public LinearWeight Matrix(string name, int outFeatures, int inFeatures)
    {
        var layer = name.EndsWith(LayerTensors.Weight, StringComparison.Ordinal) ? name[..^LayerTensors.Weight.Length] : name;
        return Quantization is not null && Has(layer + Quantization.MarkerSuffix)
            ? QuantizedLinear(name, [layer], inFeatures, [outFeatures], bias: false)
            : Load(name, [Take(name, outFeatures, inFeatures)], null);
    }

    /// <summary>Refuses a source with weights that no part of the model has taken: it is not the model the configuration describes.</summary>
    /// <exception cref="CheckpointFormatException">Names the first few.</exception>
    public void RefuseUnused(Predicate<string> isIgnorable)
    {
        const int shown = 5;
        var unused = source.Names.Where(name => !used.Contains(name) && !isIgnorable(name) && Quantization?.IsIgnorable(name) != true).Order(StringComparer.Ordinal).ToImmutableArray();
        if (!unused.IsEmpty)
        {
            var list = string.Join(", ", unused.Take(shown).Select(name => $"'{name}'"));
            throw new CheckpointFormatException(
                source.Location, $"has {unused.Length} tensors that config.json leaves no place for: {list}{(unused.Length > shown ? ", …" : "")}");
        }
    }

    private LinearWeight Load(string name, HostTensor[] weights, HostTensor[]? biases)
    {
        var linear = backend.LoadLinear(name, weights, biases);

        // A span of a row does not keep its tensor's memory alive; until the backend is done, this does.
        GC.KeepAlive(weights);
        GC.KeepAlive(biases);
        ResidentBytes += linear.ResidentBytes;
        Report(name);
        return linear;
    }

    private HostTensor Take(string name, params ReadOnlySpan<int> shape)
    {
        var tensor = source.Find(name)
            ?? throw new CheckpointFormatException(source.Location, name, $"is missing; config.json calls for it with shape [{string.Join(", ", shape.ToArray())}]");
        if (!tensor.Shape.AsSpan().SequenceEqual(shape))
        {
            throw new CheckpointFormatException(
                source.FileOf(name), name, $"has shape [{string.Join(", ", tensor.Shape)}]; config.json calls for [{string.Join(", ", shape.ToArray())}]");
        }

        if (used.Add(name))
        {
            bytesDone += tensor.ByteLength;
        }

        return tensor;
    }

    private void Report(string name) => progress?.Report(new LoadProgress(bytesDone, totalBytes, name));
}
