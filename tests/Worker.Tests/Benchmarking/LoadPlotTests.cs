using System.Globalization;
using System.Xml.Linq;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking.Serving;

namespace Cluster.Worker.Tests.Benchmarking;

public sealed class LoadPlotTests
{
    [Theory]
    [InlineData(5, 1)]
    [InlineData(7, 2)]
    [InlineData(23, 5)]
    [InlineData(26, 10)]
    [InlineData(1000, 200)]
    [InlineData(0.04, 0.01)]
    [InlineData(0, 1)]
    public void Ticks_stand_at_one_two_or_five_times_a_power_of_ten(double maximum, double expected) =>
        Assert.Equal(expected, LoadPlot.TickStep(maximum), expected * 1e-9);

    [Fact]
    public void Every_series_has_a_point_a_rate_at_the_height_of_its_value()
    {
        var svg = XDocument.Parse(LoadPlot.Draw("a <b> & c", [Point(2, 200), Point(double.PositiveInfinity, 400), Point(1, 100)]));

        var lines = Named(svg, "polyline").Select(line => line.Attribute("points")!.Value.Split(' ').Select(Place).ToArray()).ToArray();
        Assert.Equal(8, lines.Length);
        Assert.All(lines, line => Assert.Equal(3, line.Length));

        // Time to first token is the request's, 100, 200 and 400 ms: heights above the axis in the same proportion.
        const double Axis = 290;
        var heights = lines[2].Select(place => Axis - place.Y).ToArray();
        Assert.Equal(2, heights[1] / heights[0], 0.01);
        Assert.Equal(4, heights[2] / heights[0], 0.01);

        var texts = Named(svg, "text").Select(text => text.Value).ToArray();
        Assert.Contains("a <b> & c", texts);
        Assert.Contains("Throughput (tokens/s)", texts);
        Assert.Contains("Time to first token (ms)", texts);
        Assert.Equal(
            ["1", "2", "inf"],
            Named(svg, "text").Where(text => text.Attribute("text-anchor")?.Value == "middle" && text.Value is ("1" or "2" or "inf"))
                .Select(text => text.Value).Take(3));
        Assert.Equal(3, texts.Count(text => text == "request rate (requests/s)"));
    }

    [Fact]
    public void Everything_lies_inside_the_picture()
    {
        var svg = XDocument.Parse(LoadPlot.Draw("one", [Point(1, 1234)]));
        var size = svg.Root!.Attribute("viewBox")!.Value.Split(' ').Select(Number).ToArray();

        Assert.All(Named(svg, "circle"), circle =>
        {
            Assert.InRange(Number(circle.Attribute("cx")!.Value), 0, size[2]);
            Assert.InRange(Number(circle.Attribute("cy")!.Value), 0, size[3]);
        });
    }

    private static LoadPoint Point(double rate, double milliseconds) => new(
        rate,
        new ServeMetrics(
            [new RequestMeasurement
            {
                PromptTokens = 5,
                OutputTokens = 5,
                TimeToFirstTokenSeconds = milliseconds / 1000,
                LatencySeconds = milliseconds / 500
            }], 1, null));

    private static IEnumerable<XElement> Named(XDocument svg, string name) =>
        svg.Descendants().Where(element => element.Name.LocalName == name);

    private static (double X, double Y) Place(string pair)
    {
        var parts = pair.Split(',');
        return (Number(parts[0]), Number(parts[1]));
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
