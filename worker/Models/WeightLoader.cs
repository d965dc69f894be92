using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute;

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

    /// <summary>Whether the source has a tensor of this name.</summary>
    public bool Has(string name) => source.Find(name) is not null;

    /// <summary>A vector of <paramref name="length"/> elements, such as a norm's weight.</summary>
    /// <param name="offset">Added to every element.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    /// <exception cref="NotSupportedException">The tensor's type cannot be read.</exception>
    public Tensor Vector(string name, int length, float offset = 0)
    {
        var host = Take(name, length);
        var vector = LoadVector(offset == 0 ? host : InMemory(name, Array.ConvertAll(WeightReader.ReadAll(host), value => value + offset)));
        GC.KeepAlive(host);
        return vector;
    }

    /// <summary>A vector that no checkpoint holds, since a formula gives it.</summary>
    public Tensor Constant(string name, float[] values) => LoadVector(InMemory(name, values));

    /// <summary>A <c>[rows, columns]</c> table of embeddings.</summary>
    /// <param name="firstRow">Rows before this one are left out.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public EmbeddingTable Embedding(string name, int rows, int columns, int firstRow = 0)
    {
        var host = Take(name, rows, columns).RowRange(firstRow, rows - firstRow);
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

    /// <summary>Query, key and value projections that a checkpoint stores as one matrix, head by head: <c>[heads, 3, headDim, inFeatures]</c>.
    /// Loaded in the order of <see cref="Linear"/>: all query heads, all key heads, all value heads.</summary>
    /// <param name="name">Without <c>.weight</c> and <c>.bias</c>.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public LinearWeight InterleavedQkv(string name, int inFeatures, int heads, int headDim, bool bias)
    {
        var rows = 3 * heads * headDim;
        var weight = Take(name + ".weight", rows, inFeatures);
        return Load(name, ByPart(weight), bias ? ByPart(Take(name + ".bias", rows)) : null);

        HostTensor[] ByPart(HostTensor fused) =>
        [
            .. from part in Enumerable.Range(0, 3)
               from head in Enumerable.Range(0, heads)
               select fused.RowRange(((3 * head) + part) * headDim, headDim),
        ];
    }

    /// <summary>A single matrix under its full name, such as the output matrix.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public LinearWeight Matrix(string name, int outFeatures, int inFeatures) => Load(name, [Take(name, outFeatures, inFeatures)], null);

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

    private Tensor LoadVector(HostTensor host)
    {
        var tensor = backend.LoadVector(host);
        GC.KeepAlive(host);
        ResidentBytes += tensor.Buffer.ByteLength;
        Report(host.Name);
        return tensor;
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

    private static HostTensor InMemory(string name, float[] values)
    {
        var pinned = GC.AllocateUninitializedArray<float>(values.Length, pinned: true);
        values.CopyTo(pinned, 0);
        return new HostTensor(name, DType.F32, [values.Length], Marshal.UnsafeAddrOfPinnedArrayElement(pinned, 0), pinned);
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
