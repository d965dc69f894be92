using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Reconciling;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Two members of a union are refused in kube-apiserver's words, and a podTemplate does not make them.</summary>
public sealed class PodUnionTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private const string Handlers = "Forbidden: may not specify more than 1 handler type";
    private const string Volumes = "Forbidden: may not specify more than 1 volume type";

    public static TheoryData<string, string> Refused { get; } = new()
    {
        {
            """{"containers": [{"lifecycle": {"preStop": {"exec": {}, "sleep": {}}}}]}""",
            $"spec.containers[0].lifecycle.preStop.sleep: {Handlers}"
        },
        { """{"containers": [{"livenessProbe": {"httpGet": {}, "exec": {}}}]}""", $"spec.containers[0].livenessProbe.httpGet: {Handlers}" },
        {
            """{"containers": [{"readinessProbe": {"grpc": {}, "tcpSocket": {}}}]}""",
            $"spec.containers[0].readinessProbe.grpc: {Handlers}"
        },
        {
            """{"containers": [{"startupProbe": {"periodSeconds": 1}}]}""",
            "spec.containers[0].startupProbe: Required value: must specify a handler type"
        },
        {
            """{"initContainers": [{"name": "i", "image": "i", "lifecycle": {"postStart": {"exec": {}, "httpGet": {}}}}]}""",
            $"spec.initContainers[0].lifecycle.postStart.httpGet: {Handlers}"
        },
        { """{"volumes": [{"name": "v", "hostPath": {"path": "/"}, "emptyDir": {}}]}""", $"spec.volumes[0].hostPath: {Volumes}" },
        { """{"volumes": [{"name": "v", "configMap": {}, "persistentVolumeClaim": {}}]}""", $"spec.volumes[0].configMap: {Volumes}" },
        {
            """{"volumes": [{"name": "v", "projected": {"sources": [{"secret": {}, "configMap": {}}]}}]}""",
            "spec.volumes[0].projected.sources[0].configMap: Forbidden: may not specify more than 1 volume type per source"
        },
        {
            """{"containers": [{"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {}}}]}]}""",
            "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"
        },
        {
            """{"containers": [{"env": [{"name": "A", "valueFrom": {"fieldRef": {}, "secretKeyRef": {}}}]}]}""",
            "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not have more than one field specified at a time"
        },
        {
            """{"containers": [{"env": [{"name": "A", "valueFrom": {}}]}]}""",
            "spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`"
        },
        {
            """{"containers": [{"envFrom": [{"configMapRef": {}, "secretRef": {}}]}]}""",
            "spec.containers[0].envFrom[0]: Invalid value: \"\": may not have more than one field specified at a time"
        },
    };

    [Theory, MemberData(nameof(Refused))]
    public async Task A_pod_with_two_members_of_a_union_is_refused(string spec, string message)
    {
        var space = await fixture.NewNamespaceAsync();
        var pod = Fixtures.Pod("p");
        Lay(pod["spec"]!.AsObject(), JsonNode.Parse(spec)!.AsObject());
        var answer = await fixture.Client.ExpectAsync(HttpStatusCode.UnprocessableEntity, HttpMethod.Post, Fixtures.PodsIn(space), pod);
        Assert.Contains(message, (string?)answer["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_workload_is_checked_at_its_own_path()
    {
        var space = await fixture.NewNamespaceAsync();
        var answer = await fixture.Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, $"/apis/apps/v1/namespaces/{space}/deployments", Fixtures.Json(
                """
                {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
                 "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i", "livenessProbe": {"exec": {}, "tcpSocket": {}}}]}}}}
                """));
        Assert.Contains($"spec.template.spec.containers[0].livenessProbe.tcpSocket: {Handlers}", (string?)answer["message"]);
    }

    [Theory]
    [InlineData("""{"containers": [{"name": "worker", "lifecycle": {"preStop": {"httpGet": {"path": "/", "port": 8000}}}}]}""")]
    [InlineData("""{"containers": [{"name": "worker", "livenessProbe": {"grpc": {"port": 50051}}}]}""")]
    [InlineData("""{"volumes": [{"name": "model", "persistentVolumeClaim": {"claimName": "c"}}]}""")]
    [InlineData("""{"containers": [{"name": "worker", "env": [{"name": "POD_NAME", "value": "x"}]}]}""")]
    public async Task A_pod_that_a_podTemplate_was_laid_over_is_accepted(string overlay)
    {
        var space = await fixture.NewNamespaceAsync();
        var deployment = Given.Deployment(
            change: s => s.PodTemplate = new JsonObject { ["spec"] = JsonNode.Parse(overlay) });
        deployment.Metadata.NamespaceProperty = space;
        var pod = WorkerPod.Build(WorkerTemplate.For(deployment, Given.Options), deployment.Spec, "p", placement: null);
        await fixture.Client.CreateAsync(Fixtures.PodsIn(space), pod);
    }

    [Fact]
    public void A_podTemplate_that_has_two_members_itself_is_invalid_at_its_path()
    {
        var deployment = Given.Deployment(change: s => s.PodTemplate = Fixtures.Json(
            """
            {"spec": {"containers": [{"name": "worker", "readinessProbe": {"grpc": {"port": 1}, "tcpSocket": {"port": 1}}}]}}
            """).AsObject());
        Assert.Contains(
            $"spec.podTemplate.spec.containers[0].readinessProbe.grpc: {Handlers}",
            Assert.Throws<InvalidModelDeploymentException>(() => WorkerTemplate.For(deployment, Given.Options)).Message,
            StringComparison.Ordinal);
    }

    private static void Lay(JsonObject spec, JsonObject fields)
    {
        foreach (var (name, value) in fields)
        {
            if (name == "containers")
            {
                Lay(spec["containers"]![0]!.AsObject(), value![0]!.AsObject());
            }
            else
            {
                spec[name] = value!.DeepClone();
            }
        }
    }
}
