using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Models.Running;

public sealed class KvGroupsTests
{
    [Fact]
    public void A_model_of_one_kind_has_one_group_with_all_layers()
    {
        var groups = Groups(40, _ => new KvReach(Window: 4096));

        Assert.Equal((1, 40), (groups.Count, groups.LayersPerGroup));
        Assert.Equal(new KvPlace(0, 17), groups.PlaceOf(17));
    }

    /// <summary>Gemma 3 27B: of 62 layers every sixth is full.</summary>
    [Fact]
    public void Groups_are_as_large_as_the_smaller_kind()
    {
        var groups = Groups(62, layer => layer % 6 == 5 ? default : new KvReach(Window: 1024));

        Assert.Equal((7, 10), (groups.Count, groups.LayersPerGroup));
        Assert.Equal("1 full, 6 with a window of 1024", groups.ToString());
        Assert.Equal((new KvPlace(0, 0), new KvPlace(0, 9)), (groups.PlaceOf(5), groups.PlaceOf(59)));
        Assert.Equal((new KvPlace(1, 0), new KvPlace(6, 1)), (groups.PlaceOf(0), groups.PlaceOf(61)));
    }

    [Theory]
    [InlineData(4, 5, 3, 4)]
    [InlineData(5, 4, 3, 4)]
    [InlineData(8, 9, 2, 9)]
    [InlineData(12, 12, 2, 12)]
    public void Kinds_of_nearly_as_many_layers_have_one_group_each(int full, int windowed, int numGroups, int layersPerGroup)
    {
        var groups = Groups(full + windowed, layer => layer < full ? default : new KvReach(Window: 8));

        Assert.Equal((numGroups, layersPerGroup), (groups.Count, groups.LayersPerGroup));
    }

    [Theory]
    [InlineData(3, 3, 3)]
    [InlineData(7, 30, 12)]
    [InlineData(1, 1, 0)]
    public void No_two_layers_share_a_place(int full, int windowed, int chunked)
    {
        var random = new Random(1);
        KvReach[] layers = [
            .. Enumerable.Repeat(default(KvReach), full), .. Enumerable.Repeat(new KvReach(Window: 9), windowed),
            .. Enumerable.Repeat(new KvReach(Chunk: 9), chunked)];
        random.Shuffle(layers);

        var groups = new KvGroups(layers);

        var places = layers.Select((_, layer) => groups.PlaceOf(layer)).ToList();
        Assert.Equal(layers.Length, places.Distinct().Count());
        Assert.All(places, place => Assert.InRange(place.Region, 0, groups.LayersPerGroup - 1));
        Assert.Equal(layers, places.Select(place => groups.Reaches[place.Group]));
        Assert.True(groups.Reaches[0].IsFull);
    }

    [Theory]
    [InlineData(0, 0, 100, 0)]
    [InlineData(16, 0, 15, 0)]
    [InlineData(16, 0, 16, 1)]
    [InlineData(1, 0, 16, 16)]
    [InlineData(0, 16, 31, 16)]
    [InlineData(0, 16, 32, 32)]
    [InlineData(20, 16, 33, 32)]
    [InlineData(4, 16, 47, 44)]
    public void A_query_reads_from_the_start_of_its_window_and_chunk_on(int window, int chunk, int position, int first)
    {
        Assert.Equal(first, new KvReach(window, chunk).FirstRead(position));
    }

    [Fact]
    public void No_step_needs_more_blocks_than_foreseen()
    {
        KvReach[] reaches = [new(1), new(2), new(16), new(17), new(Chunk: 1), new(Chunk: 16), new(Chunk: 24), new(20, 24)];
        foreach (var reach in reaches)
        {
            for (var stepTokens = 1; stepTokens < 40; stepTokens++)
            {
                var most = reach.MostBlocks(1 << 20, stepTokens, 16);
                for (var position = 0; position < 200; position++)
                {
                    var end = (position + stepTokens + 15) / 16;
                    Assert.True(end - reach.FirstRead(position) / 16 <= most, $"{reach}, {stepTokens} tokens from {position} on");
                    Assert.True(reach.MostBlocks(position + stepTokens, stepTokens, 16) <= end);
                }
            }
        }
    }

    [Theory]
    [InlineData(323, 2032)]
    [InlineData(324, 2048)]
    [InlineData(4, 0)]
    [InlineData(5, 16)]
    public void The_longest_sequence_is_found(int blocks, int length)
    {
        var groups = Groups(5, layer => layer == 0 ? default : new KvReach(Window: 256));

        Assert.Equal(length, groups.LongestIn(blocks, 512, 16));
        Assert.Equal(int.MaxValue / 16 * 16, Groups(2, _ => new KvReach(Window: 256)).LongestIn(49, 512, 16));
        Assert.Equal(16 * blocks, KvGroups.One.LongestIn(blocks, 512, 16));
        Assert.Equal(blocks, KvGroups.One.LongestIn(blocks, 512, 1));
    }

    private static KvGroups Groups(int count, Func<int, KvReach> reach) => new([.. Enumerable.Range(0, count).Select(reach)]);
}
