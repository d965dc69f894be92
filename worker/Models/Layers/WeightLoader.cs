using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Layers;

/// <summary>Takes tensors from a <see cref="WeightSource"/>, checks their shapes and hands them to the backend, counting bytes on both
/// sides. Called by <see cref="Transformer"/> while it is built.</summary>
internal sealed partial class WeightLoader(WeightSource source, Backend backend, IProgress<LoadProgress>? progress)
{
    private readonly CheckpointTensors _tensors = new(source);
    private readonly long _totalBytes = source.TotalBytes;

    /// <summary>Ranks that share the model.</summary>
    public int Ranks { get; init; } = 1;

    /// <summary>Bytes of the source that were taken so far.</summary>
    public long BytesTaken => _tensors.BytesTaken;

    /// <summary>Device memory that everything loaded so far keeps.</summary>
    public long ResidentBytes { get; private set; }

    /// <summary>What tables of embeddings keep of <see cref="ResidentBytes"/>, of which a step reads a row a token; not those that the
    /// output matrix keeps for them.</summary>
    public long TableBytes { get; private set; }

    /// <summary>What other ranks keep as well of <see cref="ResidentBytes"/>: norms, routers, positions, key/value heads where there are
    /// fewer than ranks, and what decodes codes on several.</summary>
    public long ReplicatedBytes { get; private set; }

    /// <summary>Whether the source has a tensor of this name.</summary>
    public bool Has(string name) => _tensors.Has(name);

    /// <summary>A vector, or the part of one that the rank keeps, such as a norm's weight.</summary>
    /// <param name="offset">Added to every element.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    /// <exception cref="NotSupportedException">The tensor's type cannot be read.</exception>
    public Tensor Vector(string name, Slice length, float offset = 0)
    {
        var host = _tensors.Take(name, length);
        var vector = LoadVector(
            offset == 0 ? host : InMemory(name, Array.ConvertAll(WeightReader.ReadAll(host), value => value + offset)), length);
        GC.KeepAlive(host);
        return vector;
    }

    /// <summary>The rows of a <c>[rows, columns]</c> tensor that the rank keeps, one after another as a vector.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    /// <exception cref="NotSupportedException">The tensor's type cannot be read.</exception>
    public Tensor Rows(string name, Slice rows, int columns)
    {
        var host = _tensors.Take(name, rows, columns);
        var vector = LoadVector(InMemory(name, WeightReader.ReadAll(host)), rows.Times(columns));
        GC.KeepAlive(host);
        return vector;
    }

    /// <summary>A number that is stored as a tensor without dimensions, or with one element.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing, has another shape or no finite value.</exception>
    /// <exception cref="NotSupportedException">The tensor's type cannot be read.</exception>
    public float Scalar(string name)
    {
        var host = _tensors.ShapeOf(name, "config.json").IsEmpty ? _tensors.Take(name) : _tensors.Take(name, 1);
        var value = WeightReader.ReadAll(host)[0];
        GC.KeepAlive(host);
        return float.IsFinite(value) ? value : throw _tensors.Wrong(name, $"is {value}; expected a finite number");
    }

    /// <summary>A vector that no checkpoint holds, since a formula gives it.</summary>
    public Tensor Constant(string name, float[] values) => LoadVector(InMemory(name, values), values.Length);

    /// <summary>A <c>[rows, columns]</c> table of embeddings.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public EmbeddingTable Embedding(string name, Slice rows, int columns)
    {
        var host = _tensors.Take(name, rows, columns);
        var table = backend.LoadEmbedding(host);
        GC.KeepAlive(host);
        TableBytes += table.ResidentBytes;
        Account(name, table.ResidentBytes, columns, [new(name, rows)]);
        return table;
    }

    /// <summary>Parts of linear layers stacked into one multiplication. Of several ranks that multiply parts of the inputs, to be summed,
    /// the first adds the bias.</summary>
    /// <param name="name">What the stacked layer is called in traces.</param>
    /// <param name="parts">In the order of the outputs; several may be parts of one tensor.</param>
    /// <param name="exact">Weights stay as they are stored, whatever <see cref="Rounding"/> says.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public LinearWeight Linear(string name, IReadOnlyList<WeightPart> parts, Slice inFeatures, bool bias, bool exact = false)
    {
        var biases = bias ? TakeBiases(parts, inFeatures) : null;
        if (IsQuantized(name, parts))
        {
            return QuantizedLinear(name, parts, inFeatures, biases);
        }

        if (Rounding is not null && !exact)
        {
            return RoundedLinear(name, parts, inFeatures, biases);
        }

        var copies = new List<TransposedMatrix>();
        HostTensor[] weights = [.. parts.Select(part => TakeWeight(part, inFeatures, copies))];
        var linear = Loaded(name, backend.LoadLinear(name, weights, biases), weights, biases, inFeatures, parts);
        copies.ForEach(copy => copy.Dispose());
        return linear;
    }

    /// <summary>The same of one layer that is stored as a matrix of its own.</summary>
    /// <param name="name">Without <c>.weight</c> and <c>.bias</c>.</param>
    /// <param name="exact">Weights stay as they are stored, whatever <see cref="Rounding"/> says: of routers and output matrices, which
    /// engines leave as they are.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public LinearWeight Linear(string name, Slice outFeatures, Slice inFeatures, bool bias, bool exact = false) =>
        Linear(name, [new WeightPart(name, outFeatures)], inFeatures, bias, exact);

    /// <summary>A single matrix under its full name, such as the output matrix.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public LinearWeight Matrix(string name, Slice outFeatures, int inFeatures)
    {
        const string Suffix = ".weight";
        if (name.EndsWith(Suffix, StringComparison.Ordinal))
        {
            return Linear(name[..^Suffix.Length], outFeatures, inFeatures, bias: false, exact: true);
        }

        HostTensor[] weights = [_tensors.Take(name, outFeatures, inFeatures)];
        return Loaded(name, backend.LoadLinear(name, weights), weights, null, inFeatures, [new(name, outFeatures)]);
    }

    /// <summary>A table of embeddings whose rows give the logits, too: kept once where the backend can and nothing is quantized.</summary>
    /// <param name="looked">Rows that the rank looks up.</param>
    /// <param name="rows">Rows that it computes logits of: those, and maybe others.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public (EmbeddingTable Table, LinearWeight Output) Tied(string name, Slice looked, Slice rows, int columns)
    {
        const string Suffix = ".weight";
        var layer = name.EndsWith(Suffix, StringComparison.Ordinal) ? name[..^Suffix.Length] : name;
        if (Quantization is not null && IsQuantized(new WeightPart(layer, rows)))
        {
            return (Embedding(name, looked, columns), Matrix(name, rows, columns));
        }

        var host = _tensors.Take(name, rows, columns);
        var (table, output) = backend.LoadTied(layer, host, looked.First - rows.First, looked.Count);
        GC.KeepAlive(host);
        TableBytes += table.ResidentBytes;
        Account(name, table.ResidentBytes + output.ResidentBytes, columns, [new(name, rows)]);
        return (table, output);
    }

    /// <summary>Refuses a source with weights that no part of the model has taken: it is not the model the configuration
    /// describes.</summary>
    /// <exception cref="CheckpointFormatException">Names the first few.</exception>
    public void RefuseUnused(Predicate<string> isIgnorable)
    {
        const int Shown = 5;
        var unused = _tensors.Untaken.Where(name => !isIgnorable(name) && Quantization?.IsIgnorable(name) != true && !IsEmptyBias(name))
            .Order(StringComparer.Ordinal).ToImmutableArray();
        if (!unused.IsEmpty)
        {
            var list = string.Join(", ", unused.Take(Shown).Select(name => $"'{name}'"));
            throw new CheckpointFormatException(
                source.Location,
                $"has {unused.Length} tensors that config.json has no place for: {list}{(unused.Length > Shown ? ", …" : "")}");
        }
    }

    private Tensor LoadVector(HostTensor host, Slice length)
    {
        var tensor = backend.LoadVector(host);
        GC.KeepAlive(host);
        Account(host.Name, tensor.Buffer.ByteLength, host.Rows, [new(host.Name, length)]);
        return tensor;
    }

    /// <summary>Counts a layer and lets go of what it was loaded from.</summary>
    private LinearWeight Loaded(
        string name, LinearWeight linear, object[] weights, HostTensor[]? biases, Slice inFeatures, IReadOnlyList<WeightPart> parts)
    {
        // A span of a row does not keep its tensor's memory alive; until the backend is done, this does.
        GC.KeepAlive(weights);
        GC.KeepAlive(biases);
        Account(name, linear.ResidentBytes, inFeatures, parts);
        return linear;
    }

    private static HostTensor InMemory(string name, float[] values) => InMemory(name, DType.F32, values, values.Length);

    /// <summary>Counts what has been loaded and reports it.</summary>
    private void Account(string name, long residentBytes, Slice inFeatures, IReadOnlyList<WeightPart> parts)
    {
        ResidentBytes += residentBytes;
        long outputs = 0, replicated = 0;
        foreach (var part in parts)
        {
            outputs += part.Outputs.Count;
            replicated += (part.Copied || IsReplicated(part.Outputs)) && IsReplicated(inFeatures) ? part.Outputs.Count : 0;
        }

        ReplicatedBytes += replicated == 0 ? 0 : residentBytes * replicated / outputs;
        progress?.Report(new LoadProgress(_tensors.BytesTaken, _totalBytes, name));
    }

    /// <summary>An even share may be rounded up, and a table may leave out some rows that no rank needs: between once and twice an even
    /// share lies the line.</summary>
    private bool IsReplicated(Slice slice) => Ranks > 1 && 2L * slice.Count * Ranks >= 3L * slice.Full;
}
