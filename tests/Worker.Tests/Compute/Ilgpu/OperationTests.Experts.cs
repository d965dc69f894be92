using Cluster.Worker.Compute;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <content>Operations of mixtures of experts.</content>
public abstract partial class OperationTests
{
    public static TheoryData<string> RoutingRules => RoutingCase.Names;

    [Theory, MemberData(nameof(RoutingRules))]
    public void Experts_are_chosen_and_weighted_as_the_reference_does(string name)
    {
        var rule = RoutingCase.Of(name);
        Same(1e-6 * rule.Routing.Scale, device =>
        {
            var experts = device.Integers(rule.Tokens, rule.Chosen, new int[rule.Tokens * rule.Chosen]);
            var weights = device.Empty(rule.Tokens, rule.Chosen);
            Tensor? correction = rule.Corrections is { } added ? device.Floats(added, 1, rule.Experts) : null;
            device.Backend.RouteToExperts(
                device.Floats(rule.Logits, rule.Tokens, rule.Experts), rule.Routing, correction, experts, weights);
            return [device.AsFloats(experts, rule.Experts), weights];
        });
    }

    [Theory, InlineData(1), InlineData(6), InlineData(17)]
    public void A_router_with_the_choice_has_the_bits_of_one_after_the_other(int rows) => Assert.Equal(
        RouterRun.Run(fixture.Device, rows, asOne: false), RouterRun.Run(fixture.Device, rows, asOne: true));

    [Fact]
    public void Among_equal_experts_and_groups_the_lower_number_comes_first() => Same(0, device =>
    {
        var routing = new ExpertRouting(ExpertScoring.Sigmoid) { Groups = 4, GroupsChosen = 2 };
        var experts = device.Integers(2, 3, new int[6]);
        device.Backend.RouteToExperts(
            device.Floats([0, 1, 1, 1, 1, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2], 2, 8), routing, null, experts, device.Empty(2, 3));
        return [device.AsFloats(experts, 8)];
    });

    [Fact]
    public void Logits_that_are_no_numbers_choose_experts_that_exist()
    {
        var device = fixture.Device;
        var experts = device.Integers(2, 3, new int[6]);
        var logits = new float[2 * 5];
        logits.AsSpan(0, 5).Fill(float.NaN);
        logits.AsSpan(5).Fill(float.NegativeInfinity);

        device.Backend.RouteToExperts(
            device.Floats(logits, 2, 5), new(ExpertScoring.Sigmoid), device.Floats(new float[5], 1, 5), experts, device.Empty(2, 3));

        Assert.Equal([0, 1, 2, 0, 1, 2], device.ReadIntegers(experts, 5));
    }

    [Fact]
    public void Rows_are_scaled_and_plainly_summed() => Same(1e-6, device =>
    {
        Tensor x = device.Floats(Ramp, 6, 201), sums = device.Empty(3, 201);
        device.Backend.ScaleRows(x, device.Floats([1, -2, 0.5f, 3, 0, 7], 3, 2));
        device.Backend.SumExperts(x, null, sums);
        return [x, sums];
    });

    [Theory, InlineData(7f), InlineData(1.5f)]
    public void Clamped_activations_are_those_of_the_reference(float limit) => Same(1e-6, device =>
    {
        var output = device.Empty(3, 201);
        device.Backend.ClampedActivation(device.Floats(Ramp, 3, 402), limit, output);
        return [output];
    });
}
