using System.Text.Json.Nodes;
using Cluster.Operator.Manifests.Schema.Cel;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>What the chart's ValidatingAdmissionPolicies let through, by evaluating their expressions on requests as the API server
/// would.</summary>
public sealed class AdmissionPolicyTests
{
    private const string Bookings = "test-cluster-gpu-bookings";
    private const string PodTemplates = "test-cluster-pod-templates";
    private const string NodeAgent = "test-cluster-node-agent";
    private const string Agent = "system:serviceaccount:cluster-system:test-cluster-node-agent";
    private const string Plain = """{"metadata": {"name": "p"}}""";
    private const string Booked =
        """{"metadata": {"annotations": {"serving.cluster.sh/gpu-node": "n1", "serving.cluster.sh/gpu-indices": "0"}}}""";
    private const string Node = """{"metadata": {"name": "n1", "labels": {"zone": "a"}}, "spec": {"podCIDR": "10.0.0.0/24"}}""";

    [Theory]
    [InlineData(Plain, null, false)]
    [InlineData("""{"metadata": {"annotations": {"note": "x"}}}""", null, false)]
    [InlineData(Booked, null, true)]
    [InlineData(
        """{"metadata": {}, "spec": {"containers": [{"name": "c", "resources": {"limits": {"serving.cluster.sh/gpu-index-0": "1"}}}]}}""",
        null, true)]
    [InlineData(
        """{"metadata": {}, "spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "1Gi"}}}, {"name": "d"}]}}""", null,
        false)]
    [InlineData("""{"metadata": {"annotations": {"serving.cluster.sh/gpu-indices": ""}}}""", null, true)]
    [InlineData(Booked, Booked, false)]
    [InlineData(
        """{"metadata": {"annotations": {"serving.cluster.sh/gpu-node": "n1", "serving.cluster.sh/gpu-indices": "0,1"}}}""", Booked, true)]
    [InlineData(Plain, Booked, true)]
    [InlineData(Booked, Plain, true)]
    public async Task Whoever_books_GPUs_has_to_be_an_operator(string pod, string? before, bool isAsked)
    {
        var policy = await PolicyAsync(Bookings);
        Assert.Equal(isAsked, Holds(policy["matchConditions"].Objects().Single(), Variables(pod, before)));
        Assert.Contains(
            "resource('modeldeployments').subresource('status')", (string)policy["validations"].Objects().Single()["expression"]!,
            StringComparison.Ordinal);
        Assert.Equal(["CREATE", "UPDATE"], policy["matchConstraints"]!["resourceRules"]![0]!["operations"].Texts());
    }

    [Theory]
    [InlineData(
        "n1",
        """{"metadata": {"name": "n1", "labels": {"zone": "a", "serving.cluster.sh/gpu-count": "8"}, "annotations": {"serving.cluster.sh/gpus": "[]"}}, "spec": {"podCIDR": "10.0.0.0/24"}}""", "")]
    [InlineData("n2", Node, "a node agent may change the Node it runs on and no other")]
    [InlineData(null, Node, "a node agent may change the Node it runs on and no other")]
    [InlineData(
        "n1", """{"metadata": {"name": "n1", "labels": {"zone": "a"}}, "spec": {"podCIDR": "10.0.0.0/24", "unschedulable": true}}""",
        "a node agent may change labels and annotations only")]
    [InlineData(
        "n1", """{"metadata": {"name": "n1", "labels": {"zone": "a"}, "finalizers": ["x/y"]}, "spec": {"podCIDR": "10.0.0.0/24"}}""",
        "a node agent may change labels and annotations only")]
    [InlineData(
        "n1",
        """{"metadata": {"name": "n1", "labels": {"zone": "a"}, "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]}, "spec": {"podCIDR": "10.0.0.0/24"}}""",
        "a node agent may change labels and annotations only")]
    [InlineData(
        "n1", """{"metadata": {"name": "n1", "labels": {"zone": "b"}}, "spec": {"podCIDR": "10.0.0.0/24"}}""",
        "of the labels a node agent may change those that begin with serving.cluster.sh/")]
    [InlineData(
        "n1", """{"metadata": {"name": "n1"}, "spec": {"podCIDR": "10.0.0.0/24"}}""",
        "of the labels a node agent may change those that begin with serving.cluster.sh/")]
    [InlineData(
        "n1", """{"metadata": {"name": "n1", "labels": {"zone": "a"}, "annotations": {"other": ""}}, "spec": {"podCIDR": "10.0.0.0/24"}}""",
        "of the annotations a node agent may change those that begin with serving.cluster.sh/")]
    public async Task A_node_agent_changes_its_own_node_and_there_only_what_is_ours(string? runsOn, string node, string refusals)
    {
        var policy = await PolicyAsync(NodeAgent);
        var user = new JsonObject { ["username"] = Agent };
        if (runsOn is not null)
        {
            user["extra"] = new JsonObject { ["authentication.kubernetes.io/node-name"] = new JsonArray(runsOn) };
        }

        var variables = Variables(node, Node, new JsonObject { ["userInfo"] = user }.ToJsonString());

        Assert.True(Holds(policy["matchConditions"].Objects().Single(), variables));
        Assert.Equal(
            refusals,
            string.Join("; ", policy["validations"].Objects().Where(rule => !Holds(rule, variables)).Select(rule => rule["message"])));
    }

    [Theory]
    [InlineData("""{"metadata": {"name": "m-gateway-key"}, "type": "serving.cluster.sh/gateway-key"}""", true)]
    [InlineData("""{"metadata": {"name": "m-gateway-key"}, "type": "Opaque"}""", false)]
    [InlineData("""{"metadata": {"name": "m"}, "type": "serving.cluster.sh/gateway-key"}""", false)]
    [InlineData("""{"metadata": {"name": "root-token"}, "type": "kubernetes.io/service-account-token"}""", false)]
    public async Task An_operator_writes_no_Secrets_but_keys_of_gateways(string secret, bool passes)
    {
        var policy = await PolicyAsync("test-cluster-gateway-keys");
        var variables = Variables(
            secret, null, """{"userInfo": {"username": "system:serviceaccount:cluster-system:test-cluster-operator"}}""");
        Assert.True(Holds(policy["matchConditions"].Objects().Single(), variables));
        Assert.False(Holds(
            policy["matchConditions"].Objects().Single(), Variables(secret, null, """{"userInfo": {"username": "kubernetes-admin"}}""")));
        Assert.Equal(passes, Holds(policy["validations"].Objects().Single(), variables));
        Assert.Equal("Fail", (string?)policy["failurePolicy"]);
    }

    public static TheoryData<string, bool> Templates { get; } = new()
    {
        { """{"tolerations": [{"operator": "Exists"}], "priorityClassName": "high"}""", true },
        {
            """{"containers": [{"name": "worker", "startupProbe": {"failureThreshold": 9}, "env": [{"name": "HF_HUB_OFFLINE", "value": "1"}]}]}""",
            true
        },
        {
            """{"containers": [{"name": "worker", "volumeMounts": [{"name": "d", "mountPath": "/data"}]}], "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]}""",
            true
        },
        {
            """{"containers": [{"name": "worker"}, {"name": "log", "image": "i", "command": ["x"], "securityContext": {"runAsUser": 7, "privileged": false}}]}""",
            true
        },
        { """{"hostNetwork": false, "securityContext": {"runAsNonRoot": true}}""", true },
        { """{"hostNetwork": true}""", false },
        { """{"hostPID": null}""", false },
        { """{"serviceAccountName": "cluster-operator"}""", false },
        { """{"automountServiceAccountToken": true}""", false },
        { """{"fieldOfNextYear": 1}""", false },
        { """{"ephemeralContainers": []}""", false },
        { """{"volumes": [{"name": "r", "hostPath": {"path": "/"}}]}""", false },
        { """{"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}""", false },
        { """{"containers": [{"name": "worker", "image": "evil"}]}""", false },
        { """{"containers": [{"name": "worker", "lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}]}""", false },
        { """{"containers": [{"name": "worker", "env": [{"name": "LD_PRELOAD", "value": "x"}]}]}""", false },
        { """{"containers": [{"name": "worker", "volumeMounts": [{"name": "d", "mountPath": "//opt/cluster-worker"}]}]}""", false },
        { """{"containers": [{"name": "s", "ports": [{"containerPort": 1, "hostPort": 1}]}]}""", false },
        { """{"initContainers": [{"name": "s", "securityContext": {"privileged": true}}]}""", false },
        { """{"initContainers": [{"name": "s", "volumeDevices": []}]}""", false },
        { """{"containers": [{"name": "s", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}""", false },
        { """{"containers": [{"name": "s", "volumeMounts": [{"name": "d", "mountPath": "/d", "subPathExpr": "$(X)"}]}]}""", false },
        { """{"securityContext": {"runAsUser": 0}}""", false },
        { """{"securityContext": {"$patch": "replace"}}""", false },
    };

    [Theory, MemberData(nameof(Templates))]
    public async Task A_podTemplate_asks_for_no_more_than_the_chart_allows(string podSpec, bool passes)
    {
        var policy = await PolicyAsync(PodTemplates);
        var deployment = $$$"""{"spec": {"model": {"source": "hf://a/b"}, "podTemplate": {"spec": {{{podSpec}}} } } }""";

        Assert.Equal(passes, Passes(policy, deployment));
        Assert.True(Holds(policy["matchConditions"].Objects().Single(), Variables(deployment, null)));
        Assert.False(Holds(policy["matchConditions"].Objects().Single(), Variables(deployment, deployment)));
    }

    [Theory]
    [InlineData("hostNetwork", """{"hostNetwork": true, "containers": [{"name": "s", "ports": [{"containerPort": 1, "hostPort": 1}]}]}""")]
    [InlineData("serviceAccount", """{"serviceAccountName": "a", "automountServiceAccountToken": true}""")]
    [InlineData("hostPath", """{"volumes": [{"name": "r", "hostPath": {"path": "/"}}]}""")]
    [InlineData("csi", """{"volumes": [{"name": "r", "csi": {"driver": "d"}}]}""")]
    [InlineData(
        "workerCommand",
        """{"containers": [{"name": "worker", "image": "i", "command": ["x"], "env": [{"name": "LD_PRELOAD"}]}]}""")]
    [InlineData(
        "securityContext",
        """{"securityContext": {"runAsUser": 0}, "containers": [{"name": "s", "securityContext": {"privileged": true}}]}""")]
    [InlineData("volumeDevices", """{"containers": [{"name": "s", "volumeDevices": []}]}""")]
    [InlineData("runtimeClass", """{"runtimeClassName": "kata"}""")]
    [InlineData("resourceClaims", """{"resourceClaims": []}""")]
    [InlineData("shareProcessNamespace", """{"shareProcessNamespace": true}""")]
    public async Task A_privilege_that_the_chart_gives_is_given_to_operator_and_policy(string privilege, string podSpec)
    {
        var objects = await Chart.RenderAsync("defaults", "--set", $"podTemplate.allow={{{privilege}}}");
        var deployment = $$$"""{"spec": {"model": {"source": "hf://a/b"}, "podTemplate": {"spec": {{{podSpec}}} } } }""";

        Assert.False(Passes(await PolicyAsync(PodTemplates), deployment));
        Assert.True(Passes(Named(objects, PodTemplates), deployment));
        Assert.Contains(
            $"--pod-template-allow={privilege}",
            objects.DeploymentOf("operator")["spec"]!["template"]!["spec"]!["containers"]![0]!["args"].Texts());
    }

    [Theory]
    [InlineData("file:///models/a", true)]
    [InlineData("file:///models", true)]
    [InlineData("file:///models-of-others", false)]
    [InlineData("file:///models/../etc", false)]
    [InlineData("file:///etc", false)]
    [InlineData("pvc://claim/etc", true)]
    public async Task Models_are_in_the_folders_that_the_chart_names(string source, bool passes)
    {
        var deployment = $$$"""{"spec": {"model": {"source": "{{{source}}}"} } }""";
        var cache = $$$"""{"spec": {"model": {"source": "hf://a/b", "cache": "{{{source}}}"} } }""";
        var draft = $$$"""{"spec": {"model": {"source": "hf://a/b"}, "engine": {"speculative": {"model": "{{{source}}}"} } } }""";
        var objects = await Chart.RenderAsync("defaults", "--set", "podTemplate.modelPathPrefixes={/models}");
        foreach (var one in new[] { deployment, cache, draft })
        {
            Assert.Equal(passes, Passes(Named(objects, PodTemplates), one));
            Assert.Equal(passes && !source.StartsWith("file:", StringComparison.Ordinal), Passes(await PolicyAsync(PodTemplates), one));
        }

        var everywhere = await Chart.RenderAsync("defaults", "--set", "podTemplate.modelPathPrefixes={/}");
        Assert.Equal(!source.Contains("..", StringComparison.Ordinal), Passes(Named(everywhere, PodTemplates), deployment));
    }

    [Fact]
    public async Task Others_change_nodes_as_ever()
    {
        var policy = await PolicyAsync(NodeAgent);
        Assert.False(
            Holds(policy["matchConditions"].Objects().Single(), Variables(Node, Node, """{"userInfo": {"username": "system:node:n1"}}""")));
    }

    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task Every_policy_is_bound_and_denies(string set)
    {
        var objects = await Chart.RenderAsync(set);
        var bindings = objects.OfKind("ValidatingAdmissionPolicyBinding").ToList();
        Assert.Equal(
            objects.OfKind("ValidatingAdmissionPolicy").Select(policy => policy.NameOf()),
            bindings.Select(binding => (string)binding["spec"]!["policyName"]!));
        Assert.All(bindings, binding => Assert.Equal(["Deny"], binding["spec"]!["validationActions"].Texts()));
    }

    private static async Task<JsonNode> PolicyAsync(string name) => Named(await Chart.RenderAsync("defaults"), name);

    private static JsonNode Named(IReadOnlyList<JsonObject> objects, string name) =>
        objects.OfKind("ValidatingAdmissionPolicy").Single(policy => policy.NameOf() == name)["spec"]!;

    private static bool Passes(JsonNode policy, string deployment) =>
        policy["validations"].Objects().All(rule => Holds(rule, Variables(deployment, null)));

    private static (string Name, object? Value)[] Variables(string now, string? before, string request = "{}") =>
        [("object", Value(now)), ("oldObject", before is null ? null : Value(before)), ("request", Value(request))];

    private static object? Value(string json) => CelValue.Of(JsonNode.Parse(json), null);

    private static bool Holds(JsonObject rule, (string Name, object? Value)[] variables) =>
        (bool)CelProgram.Compile(
            (string)rule["expression"]!, CelType.Bool, ("object", CelType.Dyn), ("oldObject", CelType.Dyn), ("request", CelType.Dyn))
            .Run(new CelBudget(1_000_000), variables)!;
}
