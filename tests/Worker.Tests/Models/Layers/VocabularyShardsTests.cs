using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Tests.Models.Layers;

public sealed class VocabularyShardsTests
{
    /// <summary>Vocabulary, ranks, tokens of a word.</summary>
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 320, 2, 1 },
        { 320, 4, 8 },
        { 10, 4, 1 },
        { 317, 4, 1 },
        { 5, 4, 1 },
        { 50264, 3, 8 },
        { 50257, 8, 8 },
        { 1, 1, 1 },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Every_token_is_owned_by_one_rank_which_computes_it(int vocabSize, int size, int unit)
    {
        var shards = new VocabularyShards(vocabSize, size, unit);
        var owned = Enumerable.Range(0, size).SelectMany(rank => Enumerable.Range(shards.Owned(rank).First, shards.Owned(rank).Count));

        Assert.Equal(Enumerable.Range(0, vocabSize), owned);
        for (var rank = 0; rank < size; rank++)
        {
            var (own, computed) = (shards.Owned(rank), shards.Computed(rank));
            Assert.Equal(shards.Width, computed.Count);
            Assert.InRange(own.First, computed.First, computed.First + computed.Count);
            Assert.InRange(own.First + own.Count, own.First, computed.First + computed.Count);
            Assert.True(vocabSize % unit != 0 || (computed.IsMultipleOf(unit) && own.IsMultipleOf(unit)));
        }
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Gathered_logits_come_out_in_the_vocabularys_order(int vocabSize, int size, int unit)
    {
        const int Rows = 3;
        var shards = new VocabularyShards(vocabSize, size, unit);
        float[] gathered = [.. from row in Enumerable.Range(0, Rows)
                               from rank in Enumerable.Range(0, size)
                               from column in Enumerable.Range(0, shards.Width)
                               select (row * vocabSize) + shards.Computed(rank).First + column];

        Assert.Equal(Enumerable.Range(0, Rows * vocabSize).Select(index => (float)index), shards.Compact(gathered, Rows).ToArray());
    }
}
