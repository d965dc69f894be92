using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Layers;

/// <summary>A decoder-only transformer on a backend: its parts are chosen by <see cref="ModelConfig"/>, its weight names by the
/// architecture. Called by <see cref="ModelRunner"/>; calls <see cref="Backend"/>.</summary>
/// <remarks>A forward pass only enqueues. It reads no tensor, allocates nothing, and its operations depend on the numbers of rows alone, so
/// that steps of one shape are one list of operations on the same memory.</remarks>
internal sealed class Transformer
{
    private readonly Backend _backend;
    private readonly Shard _shard;
    private readonly EmbeddingTable _embedding;
    private readonly EmbeddingTable? _learnedPositions;
    private readonly float _embeddingScale;
    private readonly Norm? _embeddingNorm;
    private readonly TransformerLayer[] _layers;
    private readonly Norm _finalNorm;
    private readonly LinearWeight _output;
    private readonly float _logitScale;
    private readonly float _logitSoftCap;
    private readonly Activations _activations;
    private long _layersPassed;

    /// <summary>Loads all weights and allocates activations.</summary>
    /// <param name="maxPositions">Positions the rotary table covers: the longest sequence.</param>
    /// <param name="maxTokens">Most rows of one step.</param>
    /// <param name="maxLogits">Most rows of one step that need logits.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing, has another shape, or has no place in the model.</exception>
    public Transformer(Shard shard, Backend backend, WeightLoader weights, int maxPositions, int maxTokens, int maxLogits)
    {
        _backend = backend;
        _shard = shard;
        var config = shard.Config;
        _embeddingScale = config.EmbeddingScale;
        _logitScale = config.LogitScale;
        _logitSoftCap = config.LogitSoftCap;

        var architecture = config.Architecture;
        var names = architecture.NamesIn(weights.Has);
        var positions = new PositionEncoding(shard, backend, weights, maxPositions);
        var (owned, computed) = (shard.Vocabulary.Owned(shard.Rank), shard.Vocabulary.Computed(shard.Rank));
        var isTied = config.TieWordEmbeddings && !(config.UntiedIfStored && weights.Has(names.Output + ".weight"));
        LinearWeight? output = null;
        if (isTied)
        {
            (_embedding, output) = weights.Tied(names.Embedding, owned, computed, config.HiddenSize);
        }
        else
        {
            _embedding = weights.Embedding(names.Embedding, owned, config.HiddenSize);
        }

        _learnedPositions = config.LearnedPositionOffset is { } offset
            ? weights.Embedding(
                names.PositionEmbedding, new Slice(offset + config.MaxPositionEmbeddings, offset, config.MaxPositionEmbeddings),
                config.HiddenSize)
            : null;
        _embeddingNorm = config.EmbeddingNorm ? new Norm(names.EmbeddingNorm, config, backend, weights) : null;
        _layers = new TransformerLayer[config.NumLayers];
        for (var i = 0; i < _layers.Length; i++)
        {
            _layers[i] = new TransformerLayer(i, shard, backend, weights, names, positions);
        }

        _finalNorm = new Norm(names.FinalNorm, config, backend, weights);
        _output = output ?? weights.Linear(names.Output, computed, config.HiddenSize, config.OutputBias, exact: true);
        weights.RefuseUnused(name => architecture.IsIgnorable(name, config));
        _activations = Activations.Allocate(backend, shard, maxTokens, maxLogits);
    }

    /// <summary>Layers of all steps that were enqueued, or computed where the backend computes at once. May be read on any
    /// thread.</summary>
    public long LayersPassed => Interlocked.Read(ref _layersPassed);

    /// <summary>Where a step's logits are, whoever computes it.</summary>
    public Tensor LogitsOf(int rows) => _activations.Logits.FirstRows(rows);

    /// <summary>Enqueues one step.</summary>
    /// <returns><c>[logits, <see cref="VocabularyShards.GatheredWidth"/>]</c>, computed when the device gets there.</returns>
    public Tensor Forward(in StepInputs inputs, KvCache cache)
    {
        var tokens = inputs.TokenIds.Rows;
        var residual = _activations.Residual.FirstRows(tokens);
        var normed = _activations.Normed.FirstRows(tokens);
        Embed(inputs, residual);
        foreach (var layer in _layers)
        {
            layer.Forward(_activations, tokens, inputs.Attention, cache);
            Interlocked.Increment(ref _layersPassed);
        }

        var wanted = inputs.LogitRows.Rows;
        var logits = LogitsOf(wanted);
        if (wanted > 0)
        {
            var selected = _activations.Selected.FirstRows(wanted);
            _finalNorm.AddAndApply(residual, _activations.Delta.FirstRows(tokens), normed);
            _backend.GatherRows(normed, inputs.LogitRows, selected);
            var own = _activations.LogitsPart?.FirstRows(wanted) ?? logits;
            _backend.Linear(selected, _output, own);
            if (_logitScale != 1)
            {
                _backend.Scale(own, _logitScale);
            }

            if (_logitSoftCap != 0)
            {
                _backend.SoftCap(own, _logitSoftCap);
            }

            if (!_shard.IsWhole)
            {
                _backend.AllGather(own, logits);
            }
        }

        return logits;
    }

    private void Embed(in StepInputs inputs, Tensor residual)
    {
        if (_shard.IsWhole)
        {
            _backend.Embed(inputs.TokenIds, _embedding, residual);
        }
        else
        {
            _backend.EmbedShard(inputs.TokenIds, _shard.Vocabulary.Owned(_shard.Rank).First, _embedding, residual);
            _backend.AllReduce(residual);
        }

        if (_embeddingScale != 1)
        {
            _backend.Scale(residual, _embeddingScale);
        }

        if (_learnedPositions is not null)
        {
            _backend.AddEmbedding(inputs.Attention[0].Positions, _learnedPositions, residual);
        }

        _embeddingNorm?.Apply(residual, residual);
    }
}
