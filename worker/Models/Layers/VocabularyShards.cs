using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Layers;

/// <summary>How the ranks share the vocabulary. Each looks up the embeddings and computes the logits of a run of tokens. Part of
/// <see cref="Shard"/>; <see cref="ModelRunner"/> puts gathered logits in order.</summary>
/// <remarks>All parts of the gathered logits must be as wide. Where the vocabulary does not divide, the last ranks begin earlier instead of
/// computing padding: some logits come twice, and the second is dropped.
/// <code>
/// 10 tokens, 4 ranks    │0 1 2│3 4 5│6 7 8│7 8 9│   computed, and gathered in this order
///                       │0 1 2│3 4 5│6 7 8│    9│   owned
/// </code></remarks>
internal sealed class VocabularyShards
{
    private readonly int _vocabSize;
    private readonly int _size;

    /// <param name="unit">Logits that a quantized output matrix packs together: no cut falls between them.</param>
    public VocabularyShards(int vocabSize, int size, int unit)
    {
        _vocabSize = vocabSize;
        _size = size;
        var width = (vocabSize + size - 1) / size;
        Width = vocabSize % unit == 0 ? (width + unit - 1) / unit * unit : width;
    }

    /// <summary>Logits that each rank computes.</summary>
    public int Width { get; }

    /// <summary>Columns of the logits of all ranks, side by side.</summary>
    public int GatheredWidth => Width * _size;

    /// <summary>Tokens whose embeddings a rank keeps: no two ranks have the same one.</summary>
    public Slice Owned(int rank)
    {
        var first = Math.Min(Width * rank, _vocabSize);
        return new Slice(_vocabSize, first, Math.Min(Width, _vocabSize - first));
    }

    /// <summary>Tokens whose logits a rank computes.</summary>
    public Slice Computed(int rank) => new(_vocabSize, Math.Min(Width * rank, _vocabSize - Width), Width);

    /// <summary>Drops the logits that came twice, in place.</summary>
    /// <param name="logits"><c>[rows, GatheredWidth]</c>.</param>
    /// <returns><c>[rows, vocabulary]</c>, at the beginning of <paramref name="logits"/>.</returns>
    public Span<float> Compact(Span<float> logits, int rows)
    {
        if (GatheredWidth != _vocabSize)
        {
            // Nothing moves backwards, so nothing is overwritten before it has moved.
            for (var row = 0; row < rows; row++)
            {
                for (var rank = 0; rank < _size; rank++)
                {
                    var owned = Owned(rank);
                    var column = (Width * rank) + owned.First - Computed(rank).First;
                    logits.Slice((row * GatheredWidth) + column, owned.Count).CopyTo(logits[((row * _vocabSize) + owned.First)..]);
                }
            }
        }

        return logits[..(rows * _vocabSize)];
    }
}
