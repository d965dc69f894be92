using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Local.ApiServer.Routing;
using Cluster.Operator.Reconciling;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>The life of a ModelDeployment with everything that makes the operator call the API server: creation, lost requests, a crashed
/// worker, scaling down, deletion, leadership gained, kept and given back.</summary>
/// <param name="Requests">What the operator asked of the API server, with what its requests imply for authorization.</param>
/// <param name="Metrics">Its metrics page at the end.</param>
internal sealed record OperatorScenario(IReadOnlyCollection<AuditedRequest> Requests, string Metrics)
{
    private const string Deployment = "m";
    private const int Gpus = 2;

    public const string WorkNamespace = "default";

    private static readonly Lazy<Task<OperatorScenario>> EveryNamespace = new(() => PlayAsync(null));
    private static readonly Lazy<Task<OperatorScenario>> OneNamespace = new(() => PlayAsync(WorkNamespace));

    /// <summary>Played once for all tests.</summary>
    /// <param name="oneNamespace">Whether the operator serves <see cref="WorkNamespace"/> only, or all.</param>
    public static Task<OperatorScenario> RunAsync(bool oneNamespace) => (oneNamespace ? OneNamespace : EveryNamespace).Value;

    private static async Task<OperatorScenario> PlayAsync(string? watchNamespace)
    {
        var requests = new ConcurrentQueue<AuditedRequest>();
        await using var cluster = new BareCluster
        {
            Audit = request =>
            {
                if (request.UserAgent.StartsWith("cluster-operator/", StringComparison.Ordinal))
                {
                    requests.Enqueue(request);
                }
            },
            PodLogs = new OneLineLog(),
        };
        await cluster.InitializeAsync();
        await cluster.KubectlAsync("create", "namespace", Chart.Namespace);
        await cluster.KubectlAsync("apply", "--server-side", "-f", Path.Combine(Chart.Folder, "crds"));
        await AddNodeAsync(cluster);

        var options = new OperatorOptions
        {
            Worker = new WorkerOptions("worker:1")
            {
                Policy = new PodPolicy { ModelPathPrefixes = ["/"] },
                GatewayMasterKey = GatewayKey.NewMaster(),
            },
            Namespace = watchNamespace,
            Time = new FastClock(20),
            // Long enough that a slow machine cannot lose it.
            LeaderElection = new LeaderElectionOptions(
                Chart.Namespace, "cluster-operator", "test", TimeSpan.FromMinutes(60), TimeSpan.FromMinutes(50), TimeSpan.FromSeconds(2)),
        };
        using var client = cluster.NewClient();
        using var stop = new CancellationTokenSource();
        var running = Task.Run(
            () => OperatorHost.RunAsync(LossyClient.Around(client, losses: 2), options, stop.Token), CancellationToken.None);

        await cluster.KubectlWithInputAsync(
            $$$"""{"apiVersion": "serving.cluster.sh/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "{{{Deployment}}}"}, "spec": {"model": {"source": "file:///models/m"}, "replicas": {{{Gpus}}} } }""",
            "apply", "-f", "-");
        await UntilAsync(running, "pods exist although two requests were lost", async () => (await PodsAsync(cluster)).Count == Gpus);
        await UntilAsync(
            running, "the lease is renewed",
            () => Task.FromResult(requests.Any(request => request is { Resource: "leases", Verb: "update" })));
        var implied = await ImpliedAsync(cluster);

        await OrphanAsync(cluster, (await PodsAsync(cluster))[1]);
        await UntilAsync(
            running, "the orphan is adopted",
            async () => !(await cluster.KubectlAsync("get", "pods", "-o", "jsonpath={range .items[*]}[{.metadata.ownerReferences}]{end}"))
                .Contains("[]", StringComparison.Ordinal));
        await BindAsync(cluster, (await PodsAsync(cluster))[0]);
        await UntilAsync(
            running, "somebody asks why a pod gets no containers",
            () => Task.FromResult(requests.Any(request => request is { Resource: "events", Verb: "list" })));
        await CrashAsync(cluster, (await PodsAsync(cluster))[0]);
        await UntilAsync(running, "its last words are in the condition", async () =>
            (await cluster.KubectlAsync("get", "mdep", Deployment, "-o", "json")).Contains(OneLineLog.Line, StringComparison.Ordinal));
        await cluster.KubectlAsync("scale", $"mdep/{Deployment}", "--replicas=1");
        await UntilAsync(running, "a pod is deleted", async () => (await PodsAsync(cluster)).Count == 1);
        await using (var worker = new UnreadyWorker("""{"reason": "WrongResults"}""", WorkerFlags.DefaultHttpPort))
        {
            await BecomeWrongAsync(cluster, (await PodsAsync(cluster))[0], worker.Address);
            await UntilAsync(
                running, "its GPU is marked",
                async () => (await cluster.KubectlAsync("get", "node", "n", "-o", "json"))
                    .Contains("wrong-results", StringComparison.Ordinal));
        }

        await cluster.KubectlAsync("delete", "mdep", Deployment, "--wait=false");
        await UntilAsync(running, "its pods are told to go", async () => (await PodsAsync(cluster)).Count == 0);

        // What a kubelet does when a pod that was bound to its node has ended.
        await cluster.KubectlAsync("delete", "pods", "--all", "--force", "--grace-period=0");
        await UntilAsync(
            running, "it is gone",
            async () => string.IsNullOrWhiteSpace(await cluster.KubectlAsync("get", "mdep", Deployment, "--ignore-not-found")));

        await cluster.KubectlWithInputAsync(
            """{"apiVersion": "serving.cluster.sh/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "claims"}, "spec": {"model": {"source": "file:///models/m"}, "gpu": {"allocation": "ResourceClaim"}}}""",
            "apply", "-f", "-");
        await UntilAsync(
            running, "its claim template is there",
            async () => (await cluster.KubectlAsync("get", "resourceclaimtemplates", "-o", "name"))
                .Contains("claims-gpus-1", StringComparison.Ordinal));
        await cluster.KubectlAsync("delete", "mdep", "claims");

        await cluster.KubectlWithInputAsync(
            """{"apiVersion": "serving.cluster.sh/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "scaled"}, "spec": {"model": {"source": "file:///models/m"}, "autoscaling": {"minReplicas": 1, "maxReplicas": 2, "targetQueueSeconds": 1}}}""",
            "apply", "-f", "-");
        await UntilAsync(
            running, "it is said why its demand is not known",
            async () => (await cluster.KubectlAsync("get", "mdep", "scaled", "-o", "json"))
                .Contains("DemandUnknown", StringComparison.Ordinal));
        await cluster.KubectlAsync("delete", "mdep", "scaled", "--wait=false");

        await stop.CancelAsync();
        await running;
        return new OperatorScenario(
            [.. requests.Where(request => request.StatusCode < 500), .. implied, .. CreatedByApply(requests)], options.Metrics.Render());
    }

    private static async Task AddNodeAsync(BareCluster cluster)
    {
        var gpus = string.Join(',', Enumerable.Range(0, Gpus).Select(index => $$"""{\"index\": {{index}}}"""));
        await cluster.KubectlWithInputAsync(
            $$$"""{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "annotations": {"serving.cluster.sh/gpus": "[{{{gpus}}}]"}} }""", "apply", "-f", "-");
        await cluster.KubectlAsync(
            "patch", "node", "n", "--subresource=status", "--type=merge", "-p",
            """{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}""");
    }

    private static async Task OrphanAsync(BareCluster cluster, string pod) => await cluster.KubectlAsync(
        "patch", "pod", pod, "--type=json", "-p", """[{"op": "remove", "path": "/metadata/ownerReferences"}]""");

    /// <summary>What a scheduler does; no kubelet follows.</summary>
    private static async Task BindAsync(BareCluster cluster, string pod) => await cluster.KubectlWithInputAsync(
        """{"apiVersion": "v1", "kind": "Binding", "target": {"apiVersion": "v1", "kind": "Node", "name": "n"}}""",
        "create", "--raw", $"/api/v1/namespaces/{WorkNamespace}/pods/{pod}/binding", "-f", "-");

    private static async Task CrashAsync(BareCluster cluster, string pod) =>
        await cluster.KubectlAsync("patch", "pod", pod, "--subresource=status", "--type=merge", "-p", """
            {"status": {"phase": "Running", "containerStatuses": [{"name": "worker", "ready": false, "restartCount": 1, "image": "worker:1", "imageID": "",
              "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}}
            """);

    /// <summary>What a kubelet tells of a worker that was ready and is no more.</summary>
    private static async Task BecomeWrongAsync(BareCluster cluster, string pod, string address) =>
        await cluster.KubectlAsync("patch", "pod", pod, "--subresource=status", "--type=merge", "-p", $$$"""
            {"status": {"phase": "Running", "podIP": "{{{address}}}", "podIPs": [{"ip": "{{{address}}}"}],
              "containerStatuses": [{"name": "worker", "ready": false, "started": true, "restartCount": 0, "image": "worker:1",
              "imageID": "", "state": {"running": {"startedAt": "2030-01-01T00:00:00Z"}}, "lastState": {}}]}}
            """);

    private static async Task<List<string>> PodsAsync(BareCluster cluster) =>
        [.. JsonNode.Parse(await cluster.KubectlAsync("get", "pods", "-o", "json"))!["items"].Objects()
            .Where(pod => pod["metadata"]!["deletionTimestamp"] is null).Select(pod => pod.NameOf())];

    /// <summary>Admission asks for <c>update</c> of the owner's finalizers when an owner reference blocks its deletion
    /// (OwnerReferencesPermissionEnforcement, on by default in OpenShift).</summary>
    private static async Task<List<AuditedRequest>> ImpliedAsync(BareCluster cluster)
    {
        var owned = JsonNode.Parse(await cluster.KubectlAsync("get", "pods,services,serviceaccounts", "-o", "json"))!["items"].Objects();
        var blocks = owned.SelectMany(one => one["metadata"]!["ownerReferences"].Objects())
            .Any(owner => (bool?)owner["blockOwnerDeletion"] == true);
        return blocks
            ? [new AuditedRequest("", "update", "serving.cluster.sh", "modeldeployments/finalizers", WorkNamespace, Deployment, 200)]
            : [];
    }

    /// <summary>A server-side apply that finds nothing to patch needs the verb <c>create</c> as well.</summary>
    private static IEnumerable<AuditedRequest> CreatedByApply(IEnumerable<AuditedRequest> requests) =>
        requests.Where(request => request is { Verb: "patch", StatusCode: 201 })
            .Select(request => request with { Verb = "create", Name = null });

    private static async Task UntilAsync(Task running, string what, Func<Task<bool>> condition)
    {
        var happened = await Eventually.IsTrueAsync(async () => running.IsCompleted || await condition());
        if (running.IsCompleted)
        {
            await running;
        }

        Assert.True(happened && !running.IsCompleted, $"never happened: {what}");
    }

    private sealed class OneLineLog : IPodLogSource
    {
        public const string Line = "the last words of a worker";

        public async Task WriteLogAsync(
            string @namespace, string pod, string container, PodLogOptions options, Stream output, CancellationToken cancellationToken) =>
            await output.WriteAsync(System.Text.Encoding.UTF8.GetBytes(Line + "\n"), cancellationToken);
    }
}
