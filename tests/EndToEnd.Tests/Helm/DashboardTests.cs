using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.Common.Metrics;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Operator.Gateway;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>Every query of dashboards and alerts against the pages that a running worker and a running operator serve.</summary>
[Collection(SampleClusterCollection.Name)]
public sealed partial class DashboardTests(SampleCluster cluster)
{
    /// <summary>What Prometheus itself adds to every series of a pod, and what a histogram's buckets have.</summary>
    private static readonly string[] AddedLabels = ["namespace", "pod", "le"];

    [Fact]
    public async Task Queries_ask_only_for_metrics_and_labels_that_are_exported()
    {
        var worker = await WorkerPageAsync();
        var @operator = (await OperatorScenario.RunAsync(oneNamespace: false)).Metrics;
        var alerts = (await Chart.RenderAsync("production")).OfKind("PrometheusRule").SelectMany(rule => rule["spec"]!["groups"].Objects())
            .SelectMany(group => group["rules"].Objects()).Select(rule => (string)rule["expr"]!).ToList();

        AssertExported(Queries("worker.json"), worker, "the worker");
        AssertExported(Queries("operator.json"), @operator, "the operator");
        AssertExported(Queries("gateway.json"), GatewayPage(), "the gateway");
        AssertExported(alerts, worker + @operator + GatewayPage(), "worker, operator and gateway");
    }

    [Fact]
    public void Dashboards_fit_their_grid_and_explain_every_panel()
    {
        Assert.All(new[] { "worker.json", "operator.json", "gateway.json" }, file =>
        {
            var panels = Read(file)["panels"].Objects().ToList();
            Assert.Equal(panels.Count, panels.Select(panel => (int)panel["id"]!).Distinct().Count());
            Assert.All(panels.Where(panel => (string?)panel["type"] != "row"), panel =>
            {
                Assert.False(string.IsNullOrWhiteSpace((string?)panel["description"]), $"{file}: {panel["title"]}");
                var at = panel["gridPos"]!;
                Assert.InRange((int)at["x"]! + (int)at["w"]!, 1, 24);
            });
        });
    }

    [Theory]
    [InlineData("sum by (le) (rate(a:b_bucket{x=~\"$y\"}[5m])) / 1e3 > 2", "a:b_bucket")]
    [InlineData("(sum(a{n=\"b\"}) or vector(0)) < 1", "a")]
    [InlineData("label_values(a{b=\"c\",d=\"e\"}, pod)", "a")]
    [InlineData("label_values(a, pod)", "a")]
    [InlineData("histogram_quantile(0.5, a_bucket) and on (pod) b offset 5m", "a_bucket b")]
    public void Names_are_found_in_queries(string expression, string names) =>
    Assert.Equal(names, string.Join(' ', Promql.MetricNames(expression)));

    /// <summary>A page with a sample of each metric: which ones a gateway has had a reason for does not matter here.</summary>
    private static string GatewayPage()
    {
        MetricsRegistry registry = new();
        GatewayMetrics metrics = new(registry);
        metrics.Requests.With("m", "k", "completed").Increment();
        metrics.Retries.With("m", "r").Increment();
        metrics.Failovers.With("m", "r").Increment();
        metrics.Tokens.With("m", "k", "prompt").Increment();
        metrics.FirstToken.With("m").Observe(1);
        metrics.Duration.With("m").Observe(1);
        metrics.Queue.With("m").Observe(1);
        metrics.PrefixBlocks.With("m", "yes").Increment();
        metrics.KeyRefusals.With("k", "r").Increment();
        metrics.Waiting.With("m").Set(1);
        metrics.Running.With("m").Set(1);
        metrics.Replicas.With("m", "ready").Set(1);
        return registry.Render();
    }

    private static JsonNode Read(string file) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(RepositoryRoot.Path, "deploy", "dashboards", file)))!;

    private static List<string> Queries(string file)
    {
        var dashboard = Read(file);
        return
        [
            .. dashboard["panels"].Objects().SelectMany(panel => panel["targets"].Objects()).Select(target => (string)target["expr"]!),
            .. dashboard["templating"]!["list"].Objects().Where(variable => (string?)variable["type"] == "query")
                .Select(variable => (string)variable["query"]!["query"]!),
        ];
    }

    private static void AssertExported(IReadOnlyCollection<string> queries, string page, string who)
    {
        Assert.NotEmpty(queries);
        var labelsOf = Sample().Matches(page).GroupBy(match => match.Groups[1].Value)
            .ToDictionary(
                series => series.Key,
                series => series.SelectMany(match => LabelName().Matches(match.Groups[2].Value)).Select(match => match.Groups[1].Value)
                    .ToHashSet());
        foreach (var query in queries)
        {
            var names = Promql.MetricNames(query).ToList();
            Assert.NotEmpty(names);
            Assert.All(names, name => Assert.True(labelsOf.ContainsKey(name), $"{who} exports no {name}, which is asked for by: {query}"));
            Assert.All(
                Promql.Labels(query).Except(AddedLabels),
                label => Assert.True(
                    names.Any(name => labelsOf[name].Contains(label)),
                    $"no series of {string.Join(", ", names)} has the label {label}: {query}"));
        }
    }

    /// <summary>After one answered request: a histogram without observations is not on the page.</summary>
    private async Task<string> WorkerPageAsync()
    {
        using var client = new HttpClient { BaseAddress = new Uri(cluster.Local.HttpEndpoints[0]) };
        using var answer = await client.PostAsJsonAsync("/v1/completions", new { model = "haiku", prompt = Haiku.Prompt, max_tokens = 4 });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return await client.GetStringAsync("/metrics");
    }

    [GeneratedRegex(@"^([a-zA-Z_:][\w:]*)(\{.*\})? \S+$", RegexOptions.Multiline)]
    private static partial Regex Sample();

    [GeneratedRegex("(\\w+)=\"")]
    private static partial Regex LabelName();
}
