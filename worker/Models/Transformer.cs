using Cluster.Worker.Compute;

namespace Cluster.Worker.Models;

/// <summary>A decoder-only transformer on a backend: its parts are chosen by <see cref="ModelConfig"/>, its weight names by the architecture.
/// Called by <see cref="ModelRunner"/>; calls <see cref="Backend"/>.</summary>
/// <remarks>A forward pass only enqueues. It reads no tensor, allocates nothing, and its operations depend on the numbers of rows alone, so that steps of
/// one shape are one list of operations on the same memory.</remarks>
internal sealed class Transformer
{
    private readonly Backend backend;
    private readonly Shard shard;
    private readonly EmbeddingTable embedding;
    private readonly EmbeddingTable? learnedPositions;
    private readonly float embeddingScale;
    private readonly Norm? embeddingNorm;
    private readonly TransformerLayer[] layers;
    private readonly Norm finalNorm;
    private readonly LinearWeight output;
    private readonly float logitSoftCap;
    private readonly Activations activations;

    /// <summary>Loads all weights and allocates activations.</summary>
    /// <param name="maxPositions">Positions the rotary table covers: the longest sequence.</param>
    /// <param name="maxTokens">Most rows of one step.</param>
    /// <param name="maxLogits">Most rows of one step that need logits.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing, has another shape, or has no place in the model.</exception>
    public Transformer(Shard shard, Backend backend, WeightLoader weights, int maxPositions, int maxTokens, int maxLogits)
    {
        this.backend = backend;
        this.shard = shard;
        var config = shard.Config;
        embeddingScale = config.EmbeddingScale;
        logitSoftCap = config.LogitSoftCap;

        var architecture = config.Architecture;
        var names = architecture.NamesIn(weights.Has);
        var positions = new PositionEncoding(shard, backend, weights, maxPositions);
        embedding = weights.Embedding(names.Embedding, shard.Vocabulary.Owned(shard.Rank), config.HiddenSize);
        learnedPositions = config.LearnedPositionOffset is { } offset
            ? weights.Embedding(
                names.PositionEmbedding, new Slice(offset + config.MaxPositionEmbeddings, offset, config.MaxPositionEmbeddings), config.HiddenSize)
            : null;
        embeddingNorm = config.EmbeddingNorm ? new Norm(names.EmbeddingNorm, config, backend, weights) : null;
        layers = new TransformerLayer[config.NumLayers];
        for (var i = 0; i < layers.Length; i++)
        {
            layers[i] = new TransformerLayer(i, shard, backend, weights, names, positions);
        }

        finalNorm = new Norm(names.FinalNorm, config, backend, weights);
        var tokens = shard.Vocabulary.Computed(shard.Rank);
        output = config.TieWordEmbeddings
            ? weights.Matrix(names.Embedding, tokens, config.HiddenSize)
            : weights.Linear(names.Output, [names.Output], config.HiddenSize, [tokens], config.OutputBias);
        weights.RefuseUnused(name => architecture.IsIgnorable(name, config));
        activations = Activations.Allocate(backend, shard, maxTokens, maxLogits);
    }

    /// <summary>Enqueues one step.</summary>
    /// <returns><c>[logits, <see cref="VocabularyShards.GatheredWidth"/>]</c>, computed when the device gets there.</returns>
    public Tensor Forward(in StepInputs inputs, KvCache cache)
    {
        var tokens = inputs.TokenIds.Rows;
        var residual = activations.Residual.FirstRows(tokens);
        var normed = activations.Normed.FirstRows(tokens);
        Embed(inputs, residual);
        foreach (var layer in layers)
        {
            layer.Forward(activations, tokens, inputs.Attention, cache);
        }

        var wanted = inputs.LogitRows.Rows;
        var logits = activations.Logits.FirstRows(wanted);
        if (wanted > 0)
        {
            var selected = activations.Selected.FirstRows(wanted);
            finalNorm.AddAndApply(residual, activations.Delta.FirstRows(tokens), normed);
            backend.GatherRows(normed, inputs.LogitRows, selected);
            var own = activations.LogitsPart?.FirstRows(wanted) ?? logits;
            backend.Linear(selected, output, own);
            if (logitSoftCap != 0)
            {
                backend.SoftCap(own, logitSoftCap);
            }

            if (!shard.IsWhole)
            {
                backend.AllGather(own, logits);
            }
        }

        return logits;
    }

    private void Embed(in StepInputs inputs, Tensor residual)
    {
        if (shard.IsWhole)
        {
            backend.Embed(inputs.TokenIds, embedding, residual);
        }
        else
        {
            backend.EmbedShard(inputs.TokenIds, shard.Vocabulary.Owned(shard.Rank).First, embedding, residual);
            backend.AllReduce(residual);
        }

        if (embeddingScale != 1)
        {
            backend.Scale(residual, embeddingScale);
        }

        if (learnedPositions is not null)
        {
            backend.AddEmbedding(inputs.Attention.Positions, learnedPositions, residual);
        }

        embeddingNorm?.Apply(residual, residual);
    }
}
