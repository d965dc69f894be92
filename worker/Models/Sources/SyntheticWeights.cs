using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Sources.Twins;

namespace Cluster.Worker.Models.Sources;

/// <summary>Random weights of a model's shapes, generated when asked for and freed when the tensor is no longer reachable. A weight depends
/// on its tensor's name and its place alone, so two workers, or two calls, get the same model. Made by
/// <see cref="SyntheticModel"/>.</summary>
internal sealed class SyntheticWeights : WeightSource
{
    private const string Suffix = ".weight";

    private readonly Dictionary<string, Recipe> _tensors = new(StringComparer.Ordinal);
    private readonly SyntheticTwin? _twin;
    private readonly int _groupSize;

    public SyntheticWeights(SyntheticModel model)
    {
        var config = model.Config;
        Location = model.Name;
        (_twin, _groupSize) = (model.Twin, model.Shape.GroupSize);
        var names = config.Architecture.WeightNames;
        var kvSize = config.NumKvHeads * config.HeadDim;
        AddPlain(names.Embedding, config.VocabSize, config.HiddenSize);
        AddPlain(names.FinalNorm + Suffix, config.HiddenSize);
        if (!config.TieWordEmbeddings)
        {
            AddPlain(names.Output + Suffix, config.VocabSize, config.HiddenSize);
        }

        for (var layer = 0; layer < config.NumLayers; layer++)
        {
            string Named(string name) => names.InLayer(layer, name);
            AddPlain(Named(names.AttentionNorm) + Suffix, config.HiddenSize);
            AddLinear(Named(names.Qkv[0]), config.AttentionSize, config.HiddenSize);
            AddLinear(Named(names.Qkv[1]), kvSize, config.HiddenSize);
            AddLinear(Named(names.Qkv[2]), kvSize, config.HiddenSize);
            AddLinear(Named(names.AttentionOutput), config.HiddenSize, config.AttentionSize);
            AddPlain(Named(names.MlpNorm) + Suffix, config.HiddenSize);
            if (config.Moe is not { } moe)
            {
                AddMlp(Named, names.GateUp, names.Down, config.IntermediateSize, config.HiddenSize);
                continue;
            }

            AddPlain(Named(names.Router) + Suffix, moe.NumExperts, config.HiddenSize);
            for (var expert = 0; expert < moe.NumExperts; expert++)
            {
                var prefix = $"{names.ExpertPrefix}{expert}.";
                AddMlp(name => Named(prefix + name), names.ExpertGateUp, names.ExpertDown, moe.IntermediateSize, config.HiddenSize);
            }
        }

        TotalBytes = _tensors.Values.Sum(recipe => recipe.Bytes);
    }

    /// <summary>Weights and codes are zero and take neither time nor memory; what decodes codes is as always.</summary>
    public bool IsEmpty { get; init; }

    public override string Location { get; }

    public override IReadOnlyCollection<string> Names => _tensors.Keys;

    public override long TotalBytes { get; }

    public override bool Has(string name) => _tensors.ContainsKey(name);

    public override HostTensor? Find(string name)
    {
        if (!_tensors.TryGetValue(name, out var recipe))
        {
            return null;
        }

        var memory = new NativeBlock(recipe.Bytes, isZeroed: IsEmpty);
        var tensor = new HostTensor(name, recipe.DType, recipe.Shape, memory.Address, memory);
        if (recipe.Part is { } part)
        {
            if (!IsEmpty || part != _twin!.CodesPart)
            {
                _twin!.Fill(part, recipe.Layer, _groupSize, memory.Address);
            }
        }
        else if (!IsEmpty)
        {
            recipe.Layer.Write(memory.Address);
        }

        return tensor;
    }

    /// <summary>The weights of a plain tensor, row by row.</summary>
    public SyntheticMatrix MatrixOf(string name) => _tensors[name].Layer;

    private void AddMlp(Func<string, string> named, ImmutableArray<string> gateUp, string down, int intermediate, int hidden)
    {
        AddLinear(named(gateUp[0]), intermediate, hidden);
        AddLinear(named(gateUp[1]), intermediate, hidden);
        AddLinear(named(down), hidden, intermediate);
    }

    private void AddPlain(string name, params ReadOnlySpan<int> shape) =>
        _tensors.Add(name, new Recipe(new SyntheticMatrix(name, [.. shape]), null, DType.BF16, [.. shape]));

    /// <summary>A layer that twins quantize.</summary>
    private void AddLinear(string name, int outFeatures, int inFeatures)
    {
        if (_twin is null)
        {
            AddPlain(name + Suffix, outFeatures, inFeatures);
            return;
        }

        var layer = new SyntheticMatrix(name + Suffix, [outFeatures, inFeatures]);
        foreach (var (part, dtype, shape) in _twin.Parts(outFeatures, inFeatures, _groupSize))
        {
            _tensors.Add(name + part, new Recipe(layer, part, dtype, shape));
        }
    }

    /// <summary>How a tensor is made.</summary>
    /// <param name="Layer">The weights that it holds, or is a part of.</param>
    /// <param name="Part">Which part of a quantized layer; null for the weights themselves.</param>
    private sealed record Recipe(SyntheticMatrix Layer, string? Part, DType DType, ImmutableArray<int> Shape)
    {
        public long Bytes => Shape.Aggregate((long)DType.Size(), (bytes, dimension) => bytes * dimension);
    }
}
