namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Lists the weights of a model of given sizes. Part of <see cref="ModelShapeReader"/>.</summary>
internal sealed class ModelWeights
{
    private readonly ModelShape _shape;
    private readonly ModelFields _fields;
    private readonly ModelFamily _family;
    private readonly QuantizedLayers _quantized;
    private readonly Dictionary<WeightMatrix, long> _counts = [];

    private ModelWeights(ModelShape shape, ModelFields fields, QuantizedLayers quantized) =>
        (_shape, _fields, _family, _quantized) = (shape, fields, fields.Family, quantized);

    /// <param name="fields">Say which biases and norms there are.</param>
    public static IReadOnlyList<WeightMatrix> Of(ModelShape shape, ModelFields fields, QuantizedLayers quantized)
    {
        ModelWeights weights = new(shape, fields, quantized);
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            weights.AddLayer(layer, $"model.layers.{layer}.");
        }

        weights.AddRest();
        return [.. weights._counts.Select(entry => entry.Key with { Count = entry.Value })];
    }

    private void AddLayer(int layer, string prefix)
    {
        if (_shape.Latent is { } latent)
        {
            AddLatentAttention(prefix + "self_attn.", latent);
        }
        else
        {
            AddAttention(prefix + "self_attn.");
        }

        if (_shape.Experts is { } experts && experts.InLayer[layer])
        {
            AddExperts(prefix, experts);
        }
        else
        {
            AddMlp($"{prefix}{_family.Names.Mlp}.", _shape.IntermediateSize, 1, isExpert: false);
            Small(_family.MlpBias(_fields) ? ((_shape.GatedMlp ? 2L : 1) * _shape.IntermediateSize) + _shape.HiddenSize : 0);
        }

        Small((long)_family.Norms(_fields) * NormWidth);
        Small(_family.LayerExtras(_shape.Heads));
    }

    private long NormWidth => (_family.NormBias ? 2L : 1) * _shape.HiddenSize;

    private void AddAttention(string prefix)
    {
        var queries = (long)_shape.Heads * _shape.HeadDim;
        var keys = (long)_shape.KvHeads * _shape.HeadDim;
        Linear(prefix + "q_proj", queries, _shape.HiddenSize, WeightCut.Outputs);
        Linear(prefix + "k_proj", keys, _shape.HiddenSize, WeightCut.KvHeads);
        Linear(prefix + "v_proj", keys, _shape.HiddenSize, WeightCut.KvHeads);
        Linear(prefix + "o_proj", _shape.HiddenSize, queries, WeightCut.Inputs);
        Small(_family.QkvBias(_fields) ? queries + (2 * keys) : 0);
        Small(_family.AttentionOutputBias(_fields) ? _shape.HiddenSize : 0);
        if (_family.HasQueryKeyNorm(_fields))
        {
            Small(_family.QueryKeyNorm switch
            {
                QueryKeyNorms.SharedByHeads => 2L * _shape.HeadDim,
                QueryKeyNorms.AllHeads => queries + keys,
                _ => 0,
            });
        }
    }

    private void AddLatentAttention(string prefix, LatentShape latent)
    {
        var queries = (long)_shape.Heads * latent.QueryDim;
        if (latent.QueryRank is { } rank)
        {
            Linear(prefix + "q_a_proj", rank, _shape.HiddenSize, WeightCut.None);
            Linear(prefix + "q_b_proj", queries, rank, WeightCut.Outputs);
            Small(rank);
        }
        else
        {
            Linear(prefix + "q_proj", queries, _shape.HiddenSize, WeightCut.Outputs);
        }

        Linear(prefix + "kv_a_proj_with_mqa", latent.CachedValues, _shape.HiddenSize, WeightCut.None);
        Linear(prefix + "kv_b_proj", (long)_shape.Heads * (latent.NopeDim + latent.ValueDim), latent.KvRank, WeightCut.Outputs);
        Linear(prefix + "o_proj", _shape.HiddenSize, (long)_shape.Heads * latent.ValueDim, WeightCut.Inputs);
        Small(latent.KvRank);
        Small(_family.QkvBias(_fields) ? (latent.QueryRank ?? 0) + latent.CachedValues : 0);
        Small(_family.AttentionOutputBias(_fields) ? _shape.HiddenSize : 0);
    }

    private void AddExperts(string prefix, ExpertShape experts)
    {
        AddMlp($"{prefix}{_family.Names.Experts}.0.", experts.IntermediateSize, experts.Count, isExpert: true);
        if (experts.SharedIntermediateSize > 0)
        {
            AddMlp($"{prefix}{_family.Names.Shared}.", experts.SharedIntermediateSize, 1, isExpert: false);
            Small(experts.SharedGate ? _shape.HiddenSize : 0);
        }

        Small((long)experts.Count * _shape.HiddenSize); // The router.
        Small(experts.Correction ? experts.Count : 0);
        Small(experts.Biases ? experts.Count * (1 + (2L * experts.IntermediateSize) + _shape.HiddenSize) : 0);
    }

    private void AddMlp(string prefix, int width, int count, bool isExpert)
    {
        var names = _family.Names;
        if (_shape.GatedMlp)
        {
            Linear(prefix + names.Gate, width, _shape.HiddenSize, WeightCut.Outputs, count, isExpert);
        }

        Linear(prefix + names.Up, width, _shape.HiddenSize, WeightCut.Outputs, count, isExpert);
        Linear(prefix + names.Down, _shape.HiddenSize, width, WeightCut.Inputs, count, isExpert);
    }

    private void AddRest()
    {
        Small(NormWidth * (_family.EmbeddingNorm ? 2 : 1)); // With one after the last layer.
        Small((long)_shape.LearnedPositions * _shape.HiddenSize);
        Small(_family.HeadBias(_fields) ? _shape.VocabSize : 0);
        Add(
            new WeightMatrix(0, _shape.VocabSize, _shape.HiddenSize, WeightCut.Vocabulary, WeightFormat.Plain),
            _shape.TiedEmbeddings ? 1 : 2);
    }

    private void Linear(string name, long outputs, long inputs, WeightCut cut, int count = 1, bool isExpert = false) => Add(
        new WeightMatrix(0, outputs, inputs, cut, _quantized.Contains(name, isExpert) ? _quantized.Format : WeightFormat.Plain)
        {
            IsLinear = true,
        },
        count);

    /// <summary>Vectors and routers, which are not quantized and not cut. They are a thousandth of the whole.</summary>
    private void Small(long values) => Add(new WeightMatrix(0, 1, 1, WeightCut.None, WeightFormat.Plain), values);

    private void Add(WeightMatrix matrix, long count)
    {
        if (count > 0)
        {
            _counts[matrix] = _counts.GetValueOrDefault(matrix) + count;
        }
    }
}
