using System.Text.Json.Nodes;
using Cluster.Operator.Commands;
using Cluster.Operator.Yaml;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>What helm makes of the chart, without a cluster.</summary>
public sealed class ChartTests
{
    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task Lint_finds_nothing(string set)
    {
        var result = await Chart.HelmAsync(["lint", "--strict", Chart.Folder, "--values", Chart.Values(set)]);

        Assert.True(result.ExitCode == 0, result.All);
        Assert.DoesNotContain("[WARNING]", result.All, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("operator.replicaz=3", "replicaz")]
    [InlineData("operator.replicas=many", "/operator/replicas")]
    [InlineData("image.digest=latest", "/image/digest")]
    [InlineData("image.repository=", "/image/repository")]
    [InlineData("metrics.port=70000", "/metrics/port")]
    [InlineData("worker.deviceGroups={render}", "/worker/deviceGroups")]
    [InlineData("worker.imagePullSecrets={registry}", "/worker/imagePullSecrets")]
    [InlineData("worker.hubCacheHostPath=models", "/worker/hubCacheHostPath")]
    [InlineData("nodeAgent.serviceAccount.create=maybe", "/nodeAgent/serviceAccount/create")]
    [InlineData("metrics.podMonitor.interval=often", "/metrics/podMonitor/interval")]
    [InlineData("networkPolicy.apiServerPorts={}", "/networkPolicy/apiServerPorts")]
    public async Task Wrong_values_are_refused_with_their_place(string value, string place)
    {
        var result = await Chart.HelmAsync(["template", "test", Chart.Folder, "--set", value]);

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(place, result.Error, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task The_operator_meets_the_restricted_pod_security_standard(string set)
    {
        var pod = Assert.Single((await Chart.RenderAsync(set)).OfKind("Deployment"))["spec"]!["template"]!["spec"]!;

        Assert.True((bool)pod["securityContext"]!["runAsNonRoot"]!);
        Assert.Equal("RuntimeDefault", (string?)pod["securityContext"]!["seccompProfile"]!["type"]);
        Assert.All(["hostNetwork", "hostPID", "hostIPC", "volumes"], field => Assert.Null(pod[field]));
        Assert.All(pod["containers"].Objects(), container =>
        {
            var security = container["securityContext"]!;
            Assert.False((bool)security["allowPrivilegeEscalation"]!);
            Assert.Null(security["privileged"]);
            Assert.Equal(["ALL"], security["capabilities"]!["drop"].Texts());
            Assert.Null(security["capabilities"]!["add"]);
        });
    }

    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task The_operator_understands_its_arguments(string set)
    {
        var container = Assert.Single(
            (await Chart.RenderAsync(set)).OfKind("Deployment"))["spec"]!["template"]!["spec"]!["containers"]![0]!;
        string[] arguments = [.. container["args"].Texts()];

        Assert.Equal("run", arguments[0]);
        Assert.Empty(RunCommand.Create().Parse(arguments[1..]).Errors);
        Assert.Contains("--metrics-host=0.0.0.0", arguments);
        Assert.Contains($"--metrics-port={container["ports"]![0]!["containerPort"]}", arguments);
    }

    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task The_node_agent_understands_its_arguments(string set)
    {
        Assert.All((await Chart.RenderAsync(set)).OfKind("DaemonSet"), daemons =>
        {
            var container = Assert.Single(daemons["spec"]!["template"]!["spec"]!["containers"].Objects());
            string[] arguments = [.. container["args"].Texts()];

            Assert.Equal("node-agent", arguments[0]);
            Assert.Empty(NodeAgentCommand.Create().Parse(arguments[1..]).Errors);
            Assert.Contains($"--metrics-port={container["ports"]![0]!["containerPort"]}", arguments);
        });
    }

    [Fact]
    public async Task Secrets_and_device_groups_of_workers_are_arguments_of_the_operator()
    {
        var arguments = Assert.Single(
            (await Chart.RenderAsync("production")).OfKind("Deployment"))["spec"]!["template"]!["spec"]!["containers"]![0]!["args"].Texts();

        Assert.Equal(
            ["--image-pull-secret=registry", "--image-pull-secret=mirror", "--device-group=44", "--device-group=993"],
            arguments.Where(
                a => a.StartsWith("--image-pull-secret", StringComparison.Ordinal)
                    || a.StartsWith("--device-group", StringComparison.Ordinal)));
    }

    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task Whatever_refers_to_something_in_the_release_finds_it(string set)
    {
        var objects = await Chart.RenderAsync(set);
        var roles = objects.Where(one => (string?)one["kind"] is "Role" or "ClusterRole").Select(one => $"{one["kind"]}/{one.NameOf()}")
            .ToHashSet();
        Assert.All(
            objects.Where(one => (string?)one["kind"] is "RoleBinding" or "ClusterRoleBinding"),
            one => Assert.Contains($"{one["roleRef"]!["kind"]}/{one.NameOf()}", roles));

        var podLabels = objects.Where(one => one["spec"]?["template"] is not null)
            .Select(one => one["spec"]!["template"]!["metadata"]!["labels"]!).ToList();
        foreach (var (name, selector) in objects.Select(Selector).Where(found => found.Selector is not null))
        {
            Assert.True(
                podLabels.Any(labels => selector!.All(wanted => (string?)labels[wanted.Key] == (string?)wanted.Value)),
                $"{name} selects no pod");
        }

        static (string Name, JsonObject? Selector) Selector(JsonObject one) => ((string)one["kind"]!, one["kind"]!.GetValue<string>() switch
        {
            "Service" => one["spec"]!["selector"],
            "NetworkPolicy" => one["spec"]!["podSelector"]!["matchLabels"],
            "PodDisruptionBudget" => one["spec"]!["selector"]!["matchLabels"],
            _ => null,
        } as JsonObject);
    }

    [Fact]
    public async Task Two_releases_share_no_name()
    {
        var one = Manifest.Parse(await Chart.TemplateAsync("production", release: "one"), "one")
            .Select(manifest => $"{manifest.Kind}/{manifest.Name}");
        var two = Manifest.Parse(await Chart.TemplateAsync("production", release: "two"), "two")
            .Select(manifest => $"{manifest.Kind}/{manifest.Name}");

        Assert.Empty(one.Intersect(two));
    }

    [Fact]
    public async Task Dashboards_are_shipped_to_the_letter()
    {
        var maps = (await Chart.RenderAsync("production")).OfKind("ConfigMap").ToList();
        var shipped = maps.SelectMany(map => map["data"]!.AsObject()).ToDictionary(entry => entry.Key, entry => (string)entry.Value!);

        var files = Directory.EnumerateFiles(Path.Combine(RepositoryRoot.Path, "deploy", "dashboards"), "*.json").ToList();
        Assert.NotEmpty(files);
        Assert.Equal(files.Select(Path.GetFileName).Order(), shipped.Keys.Order());
        Assert.All(
            files,
            file =>
                Assert.True(JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(file)), JsonNode.Parse(shipped[Path.GetFileName(file)]))));
        Assert.All(maps, map => Assert.Equal("1", (string?)map["metadata"]!["labels"]!["grafana_dashboard"]));
    }

    [Fact]
    public void Every_value_is_in_the_schema_and_every_property_of_the_schema_has_a_default()
    {
        var values = YamlJson.Parse(File.ReadAllText(Path.Combine(Chart.Folder, "values.yaml")), "values.yaml")!.AsObject();
        var schema = JsonNode.Parse(File.ReadAllText(Path.Combine(Chart.Folder, "values.schema.json")))!.AsObject();

        Compare(values, schema, "");

        void Compare(JsonObject defaults, JsonObject described, string path)
        {
            var shape = described["$ref"] is { } reference ? schema["$defs"]![((string)reference!).Split('/')[^1]]!.AsObject() : described;
            if (shape["properties"] is not JsonObject properties)
            {
                return; // An open map: labels, an affinity.
            }

            Assert.False((bool)shape["additionalProperties"]!, $"{path} takes any name");
            string[] undefaulted = ["global"];
            Assert.Equal(
                properties.Select(entry => entry.Key).Except(undefaulted).Order(),
                defaults.Select(entry => entry.Key).Except(undefaulted).Order());
            foreach (var (key, value) in defaults)
            {
                if (value is JsonObject inner)
                {
                    Compare(inner, properties[key]!.AsObject(), $"{path}.{key}");
                }
            }
        }
    }
}
