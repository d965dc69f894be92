using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Tests.Models.Layers;

public sealed class PositionEncodingTests
{
    [Fact]
    public void Slopes_of_a_power_of_two_are_one_geometric_series()
    {
        Assert.Equal([0.5f, 0.25f, 0.125f, 0.0625f, 0.03125f, 0.015625f, 0.0078125f, 0.00390625f], PositionEncoding.Slopes(8));
        Assert.Equal([0.25f, 0.0625f, 0.015625f, 0.00390625f], PositionEncoding.Slopes(4));
        Assert.Equal([0.00390625f], PositionEncoding.Slopes(1));
    }

    [Fact]
    public void Heads_beyond_a_power_of_two_take_every_second_slope_of_the_next()
    {
        var twice = PositionEncoding.Slopes(16);

        Assert.Equal([.. PositionEncoding.Slopes(8), twice[0], twice[2], twice[4], twice[6]], PositionEncoding.Slopes(12));
    }
}
