using Cluster.Common.Metrics;

namespace Cluster.Operator.Tests.Controller;

public sealed class MetricsRegistryTests
{
    [Fact]
    public void Renders_every_kind_as_prometheus_text()
    {
        MetricsRegistry registry = new();
        registry.Counter("requests_total", "Requests.", "path").With("a\"b\\c\nd").Increment();
        registry.Gauge("heat", "Degrees.").With().Set(36.6);
        var seconds = registry.Histogram("seconds", "Time.", [0.1, 1]).With();
        seconds.Observe(0.1);
        seconds.Observe(0.5);
        seconds.Observe(7);
        Assert.Equal(
            """
            # HELP heat Degrees.
            # TYPE heat gauge
            heat 36.6
            # HELP requests_total Requests.
            # TYPE requests_total counter
            requests_total{path="a\"b\\c\nd"} 1
            # HELP seconds Time.
            # TYPE seconds histogram
            seconds_bucket{le="0.1"} 1
            seconds_bucket{le="1"} 2
            seconds_bucket{le="+Inf"} 3
            seconds_sum 7.6
            seconds_count 3

            """,
            registry.Render());
    }

    [Fact]
    public void A_name_asked_for_twice_is_one_metric()
    {
        MetricsRegistry registry = new();
        registry.Counter("n", "N.", "l").With("x").Increment();
        registry.Counter("n", "N.", "l").With("x").Increment();
        Assert.Equal(2, registry.Counter("n", "N.", "l").With("x").Value);
    }

    [Fact]
    public void A_wrong_number_of_label_values_is_an_error() =>
        Assert.Throws<ArgumentException>(() => new MetricsRegistry().Counter("n", "N.", "l").With());
}
