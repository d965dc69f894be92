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
    [InlineData("networkPolicy.workerNamespaces={Upper}", "/networkPolicy/workerNamespaces")]
    [InlineData("gateway.routing=random", "/gateway/routing")]
    [InlineData("gateway.grpcPort=0", "/gateway/grpcPort")]
    [InlineData("gateway.keySecret=Secret", "/gateway/keySecret")]
    [InlineData("gateway.autoscaling.minReplicas=0", "/gateway/autoscaling/minReplicas")]
    public async Task Wrong_values_are_refused_with_their_place(string value, string place)
    {
        var result = await Chart.HelmAsync(["template", "test", Chart.Folder, "--set", value]);

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(place, result.Error, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task Operator_and_gateway_meet_the_restricted_pod_security_standard(string set) =>
        Assert.All((await Chart.RenderAsync(set)).OfKind("Deployment"), deployment =>
        {
            var pod = deployment["spec"]!["template"]!["spec"]!;
            Assert.True((bool)pod["securityContext"]!["runAsNonRoot"]!);
            Assert.Equal("RuntimeDefault", (string?)pod["securityContext"]!["seccompProfile"]!["type"]);
            Assert.All(["hostNetwork", "hostPID", "hostIPC"], field => Assert.Null(pod[field]));
            Assert.All(pod["volumes"].Objects(), volume => Assert.Equal(["name", "secret"], volume.Select(entry => entry.Key)));
            Assert.All(pod["containers"].Objects(), container =>
            {
                var security = container["securityContext"]!;
                Assert.False((bool)security["allowPrivilegeEscalation"]!);
                Assert.True((bool)security["readOnlyRootFilesystem"]!);
                Assert.Null(security["privileged"]);
                Assert.Equal(["ALL"], security["capabilities"]!["drop"].Texts());
                Assert.Null(security["capabilities"]!["add"]);
            });
        });

    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task The_operator_understands_its_arguments(string set)
    {
        var container = (await Chart.RenderAsync(set)).DeploymentOf("operator")["spec"]!["template"]!["spec"]!["containers"]![0]!;
        string[] arguments = [.. container["args"].Texts()];

        Assert.Equal("run", arguments[0]);
        Assert.Empty(RunCommand.Create().Parse(arguments[1..]).Errors);
        Assert.Contains("--metrics-host=0.0.0.0", arguments);
        Assert.Contains($"--metrics-port={container["ports"]![0]!["containerPort"]}", arguments);
    }

    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task The_gateway_understands_its_arguments(string set)
    {
        foreach (var deployment in (await Chart.RenderAsync(set)).OfKind("Deployment")
            .Where(one => one.NameOf().EndsWith("-gateway", StringComparison.Ordinal)))
        {
            var container = deployment["spec"]!["template"]!["spec"]!["containers"]![0]!;
            string[] arguments = [.. container["args"].Texts()];
            Assert.Equal("gateway", arguments[0]);
            Assert.Empty(GatewayCommand.Create().Parse(arguments[1..]).Errors);
            Assert.Equal(
                ["--port", "--grpc-port", "--metrics-port"],
                container["ports"].Objects().Select(port => arguments.Single(
                    a => a.EndsWith($"port={port["containerPort"]}", StringComparison.Ordinal)).Split('=')[0]));
        }
    }

    [Fact]
    public async Task Operator_and_gateway_read_one_master_key()
    {
        foreach (var (set, secret) in new[] { ("defaults", "test-cluster-gateway-key"), ("production", "gateway-master-key") })
        {
            var objects = await Chart.RenderAsync(set);
            Assert.All(new[] { "operator", "gateway" }, component =>
            {
                var pod = objects.DeploymentOf(component)["spec"]!["template"]!["spec"]!;
                var volume = pod["volumes"].Objects().Single(one => (string?)one["name"] == "gateway-key");
                Assert.Equal(secret, (string?)volume["secret"]!["secretName"]);
                var mount = pod["containers"]![0]!["volumeMounts"].Objects().Single(one => (string?)one["name"] == "gateway-key");
                Assert.Contains($"--gateway-key-file={mount["mountPath"]}/key", pod["containers"]![0]!["args"].Texts());
            });
            string[] made = set == "defaults" ? [secret] : [];
            Assert.Equal(made, objects.OfKind("Secret").Select(one => one.NameOf()));
        }

        var key = (await Chart.RenderAsync("defaults")).OfKind("Secret").Single()["data"]!["key"]!;
        Assert.Matches("^[A-Za-z0-9]{64}$", System.Text.Encoding.ASCII.GetString(Convert.FromBase64String((string)key!)));
        Assert.False(JsonNode.DeepEquals(key, (await Chart.RenderAsync("defaults")).OfKind("Secret").Single()["data"]!["key"]));
    }

    [Fact]
    public async Task Without_a_gateway_nothing_is_there_for_one()
    {
        var text = await Chart.TemplateAsync(
            "smallest", arguments: ["--set", "rbac.create=true", "--set", "admissionPolicies.enabled=true"]);
        Assert.DoesNotContain("gateway", text, StringComparison.Ordinal);
        Assert.DoesNotContain("secrets", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gateway_is_probed_and_asked_where_no_client_comes()
    {
        var objects = await Chart.RenderAsync("production");
        var container = objects.DeploymentOf("gateway")["spec"]!["template"]!["spec"]!["containers"]![0]!;
        Assert.All(new[] { "startupProbe", "livenessProbe", "readinessProbe" }, probe =>
            Assert.Equal("metrics", (string?)container[probe]!["httpGet"]!["port"]));
        Assert.Contains("--metrics-port=9091", container["args"].Texts());
        Assert.Contains(
            "--gateway-metrics-port=9091",
            objects.DeploymentOf("operator")["spec"]!["template"]!["spec"]!["containers"]![0]!["args"].Texts());
        var service = objects.OfKind("Service").Single(one => one.NameOf() == "test-cluster-gateway");
        Assert.Equal(["http", "grpc"], service["spec"]!["ports"].Objects().Select(port => (string?)port["name"]));
    }

    [Fact]
    public async Task The_number_of_gateways_is_the_autoscalers_where_there_is_one()
    {
        var objects = await Chart.RenderAsync("production");
        Assert.Null(objects.DeploymentOf("gateway")["spec"]!["replicas"]);
        Assert.Equal(
            "test-cluster-gateway", (string?)objects.OfKind("HorizontalPodAutoscaler").Single()["spec"]!["scaleTargetRef"]!["name"]);
        var plain = await Chart.RenderAsync("defaults");
        Assert.Equal(2, (long)plain.DeploymentOf("gateway")["spec"]!["replicas"]!);
        Assert.Empty(plain.OfKind("HorizontalPodAutoscaler"));
    }

    [Fact]
    public async Task An_ingress_leads_to_the_http_port()
    {
        var objects = await Chart.RenderAsync(
            "defaults", "--set", "gateway.ingress.enabled=true,gateway.ingress.host=models.example.com,gateway.ingress.tlsSecret=tls");
        var spec = objects.OfKind("Ingress").Single()["spec"]!;
        var path = spec["rules"]![0]!["http"]!["paths"]![0]!;
        Assert.Equal("http", (string?)path["backend"]!["service"]!["port"]!["name"]);
        Assert.Equal(("models.example.com", "tls"), ((string?)spec["rules"]![0]!["host"], (string?)spec["tls"]![0]!["secretName"]));
    }

    [Fact]
    public async Task Workers_accept_gateways_operator_and_prometheus_where_that_is_asked_for()
    {
        var policy = (await Chart.RenderAsync("production")).OfKind("NetworkPolicy").Single(one => one.NameOf() == "test-cluster-workers");
        Assert.Equal("default", (string?)policy["metadata"]!["namespace"]);
        Assert.Equal("cluster-worker", (string?)policy["spec"]!["podSelector"]!["matchLabels"]!["app.kubernetes.io/name"]);
        var peers = policy["spec"]!["ingress"].Objects()
            .Select(rule => (
                rule["from"]![0]!["podSelector"]?["matchLabels"]!["app.kubernetes.io/component"]?.ToString() ?? "metrics",
                string.Join(',', rule["ports"].Objects().Select(port => port["port"]!.ToString()))))
            .ToList();
        Assert.Equal([("operator", "http"), ("gateway", "http,grpc"), ("metrics", "http")], peers);
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
        var arguments = (await Chart.RenderAsync("production")).DeploymentOf("operator")["spec"]!["template"]!["spec"]!["containers"]![0]!
            ["args"].Texts();

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
                name == "NetworkPolicy of workers"
                    || podLabels.Any(labels => selector!.All(wanted => (string?)labels[wanted.Key] == (string?)wanted.Value)),
                $"{name} selects no pod");
        }

        // Workers are no part of the release.
        static (string Name, JsonObject? Selector) Selector(JsonObject one) => (
            one["kind"]!.ToString() + (one.NameOf() == "test-cluster-workers" ? " of workers" : ""), one["kind"]!.GetValue<string>() switch
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
