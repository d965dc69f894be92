using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Compute.Cpu.Rows;

public class RoutingTests
{
    private static readonly ExpertRouting Plain = new(ExpertScoring.SoftmaxOfChosen);

    public static TheoryData<string> Names => RoutingCase.Names;

    [Theory, MemberData(nameof(Names))]
    public void Routing_matches_the_scalar_twin(string name)
    {
        var (_, tokens, count, chosen, routing, _) = RoutingCase.Of(name);
        var (logits, correction) = (RoutingCase.Of(name).Logits, RoutingCase.Of(name).Corrections);
        var (experts, weights) = Route(logits, tokens, chosen, routing, correction);
        for (var token = 0; token < tokens; token++)
        {
            var expected = ScalarRouting.Route(logits[(token * count)..((token + 1) * count)], routing, correction, chosen);
            Assert.Equal(expected.Experts, experts[(token * chosen)..((token + 1) * chosen)]);
            Assert.All(expected.Weights, (weight, place) => Assert.Equal(weight, weights[token * chosen + place], 1e-6 * routing.Scale));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void A_token_is_routed_alike_whatever_is_routed_with_it(string name)
    {
        var (_, tokens, count, chosen, routing, _) = RoutingCase.Of(name);
        var (logits, correction) = (RoutingCase.Of(name).Logits, RoutingCase.Of(name).Corrections);
        var together = Route(logits, tokens, chosen, routing, correction);
        var alone = Route(logits[((tokens - 1) * count)..], 1, chosen, routing, correction);
        Assert.Equal(together.Experts[^chosen..], alone.Experts);
        Assert.Equal(together.Weights[^chosen..], alone.Weights);
    }

    [Fact]
    public void Among_equals_the_lower_number_comes_first()
    {
        Assert.Equal([1, 3, 0], Route([1, 2, 1, 2, 1], 1, 3, Plain, null).Experts);
        Assert.Equal([1, 3, 0], Route([1, 1, 1, 1, 1], 1, 3, new(ExpertScoring.Sigmoid), [0, 1, 0, 1, 0]).Experts);
        var groups = new ExpertRouting(ExpertScoring.Sigmoid) { Groups = 3, GroupsChosen = 1 };
        Assert.Equal([2, 3], Route([1, 0, 2, 1, 2, 2], 1, 2, groups, null).Experts);
    }

    [Fact]
    public void Corrections_choose_but_do_not_weigh()
    {
        var (experts, weights) = Route([0, 0, 0], 1, 1, new(ExpertScoring.Sigmoid), [0, 0, 9]);
        Assert.Equal([2], experts);
        Assert.Equal([0.5f], weights);
    }

    [Fact]
    public void Logits_that_saturate_scores_are_still_compared() =>
        Assert.Equal([2, 1], Route([50, 60, 70], 1, 2, new(ExpertScoring.Sigmoid), null).Experts);

    [Theory]
    [InlineData(2, 3, 1, 1, "asks for more experts of a token than")]
    [InlineData(10, 1, 3, 1, "1 of 10 experts cannot be chosen from 1 of 3 groups")]
    [InlineData(10, 1, 2, 3, "1 of 10 experts cannot be chosen from 3 of 2 groups")]
    [InlineData(10, 3, 5, 1, "3 of 10 experts cannot be chosen from 1 of 5 groups")]
    [InlineData(66, 1, 33, 1, "1 of 66 experts cannot be chosen from 1 of 33 groups")]
    public void Numbers_that_do_not_fit_are_refused(int count, int chosen, int groups, int groupsChosen, string reason)
    {
        var error = Assert.Throws<ArgumentException>(
            () => Route(new float[count], 1, chosen, Plain with { Groups = groups, GroupsChosen = groupsChosen }, null));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Theory, InlineData(nameof(ExpertScoring.SoftmaxOfChosen)), InlineData(nameof(ExpertScoring.SparseMixer))]
    public void Scores_of_chosen_experts_cannot_be_corrected(string scoring) => Assert.Throws<ArgumentException>(
        () => Route(new float[4], 1, 2, new(Enum.Parse<ExpertScoring>(scoring)), new float[4]));

    [Fact]
    public void Scores_of_all_experts_are_added_in_groups() => Assert.Equal(
        [0, 1],
        Route([3, 3, 4, 1], 1, 2, new(ExpertScoring.Softmax) { Groups = 2, GroupScore = GroupScore.SumOfTwo }, [0, 0, -0.5f, 0]).Experts);

    private static (int[] Experts, float[] Weights) Route(
        float[] logits, int tokens, int chosen, ExpertRouting routing, float[]? correction)
    {
        var count = logits.Length / tokens;
        using var device = new CpuDevice(VectorWidth.Bits256, threads: 2);
        Tensor experts = device.Integers(tokens, chosen, new int[tokens * chosen]), weights = device.Empty(tokens, chosen);
        Tensor? added = correction is null ? null : device.Floats(correction, 1, count);
        device.Backend.RouteToExperts(device.Floats(logits, tokens, count), routing, added, experts, weights);
        return (device.ReadIntegers(experts, count), device.Read(weights));
    }
}
