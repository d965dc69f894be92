using System.Net;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>What people type. Skipped where there is no kubectl.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class KubectlTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private const string NoKubectl = "kubectl is not installed (set CLUSTER_KUBECTL or put it on the PATH)";

    public static bool HasKubectl => Kubectl.Program is not null;

    private const string Manifest = """
        apiVersion: example.test/v1
        kind: Widget
        metadata:
          name: haiku
          labels: {app: haiku}
        spec:
          source: hf://haiku
          replicas: 2
        """;

    private async Task<Kubectl> OpenAsync() => new(fixture.Server, await fixture.NewNamespaceAsync());

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Apply_creates_then_configures_then_leaves_unchanged()
    {
        using var kubectl = await OpenAsync();
        Assert.Contains("widget.example.test/haiku created", await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-"));
        Assert.Contains("widget.example.test/haiku unchanged", await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-"));
        Assert.Equal(
            "widget.example.test/haiku configured\n",
            await kubectl.RunWithInputAsync(Manifest.Replace("replicas: 2", "replicas: 3"), "apply", "-f", "-"));
        Assert.Equal("3", await kubectl.RunAsync("get", "widget", "haiku", "-o", "jsonpath={.spec.replicas}"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Server_side_apply_reports_conflicts_and_force_takes_over()
    {
        using var kubectl = await OpenAsync();
        Assert.Contains(
            "serverside-applied", await kubectl.RunWithInputAsync(Manifest, "apply", "--server-side", "--field-manager=first", "-f", "-"));
        var (code, output) = await kubectl.TryAsync(
            Manifest.Replace("replicas: 2", "replicas: 4"), "apply", "--server-side", "--field-manager=second", "-f", "-");
        Assert.NotEqual(0, code);
        Assert.Contains("conflict with \"first\": .spec.replicas", output);
        Assert.Contains(
            "serverside-applied",
            await kubectl.RunWithInputAsync(
                Manifest.Replace("replicas: 2", "replicas: 4"), "apply", "--server-side", "--field-manager=second", "--force-conflicts",
                "-f", "-"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Client_side_apply_can_move_to_server_side_apply()
    {
        using var kubectl = await OpenAsync();
        await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-");
        Assert.Contains("serverside-applied", await kubectl.RunWithInputAsync(Manifest, "apply", "--server-side", "-f", "-"));
        var changed = Manifest.Replace("replicas: 2", "mode: Slow");
        Assert.Contains("serverside-applied", await kubectl.RunWithInputAsync(changed, "apply", "--server-side", "-f", "-"));
        Assert.Equal("1 Slow", await kubectl.RunAsync("get", "widget", "haiku", "-o", "jsonpath={.spec.replicas} {.spec.mode}"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Unknown_fields_and_wrong_types_are_refused_with_their_path()
    {
        using var kubectl = await OpenAsync();
        var (_, unknown) = await kubectl.TryAsync(Manifest + "\n  foo: 1\n", "apply", "-f", "-");
        Assert.Contains("strict decoding error: unknown field \"spec.foo\"", unknown);
        var (_, wrong) = await kubectl.TryAsync(Manifest.Replace("replicas: 2", "replicas: many"), "apply", "-f", "-");
        Assert.Contains(
            "The Widget \"haiku\" is invalid: spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: "
            + "\"string\"", wrong);
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Autoscale_and_create_priorityclass_send_protobuf_that_is_read()
    {
        using var kubectl = await OpenAsync();
        await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-");
        Assert.Contains(
            "horizontalpodautoscaler.autoscaling/haiku autoscaled",
            await kubectl.RunAsync("autoscale", "widget", "haiku", "--min=1", "--max=4", "--cpu-percent=70"));
        Assert.Equal(
            "1 4 Widget/haiku cpu 70",
            await kubectl.RunAsync(
                "get", "hpa", "haiku", "-o",
                "jsonpath={.spec.minReplicas} {.spec.maxReplicas} {.spec.scaleTargetRef.kind}/{.spec.scaleTargetRef.name} "
                + "{.spec.metrics[0].resource.name} {.spec.metrics[0].resource.target.averageUtilization}"));
        var name = $"high-{kubectl.Namespace}";
        Assert.Contains(
            $"priorityclass.scheduling.k8s.io/{name} created",
            await kubectl.RunAsync("create", "priorityclass", name, "--value=1000", "--description=d", "--preemption-policy=Never"));
        Assert.Equal(
            "1000 d Never", await kubectl.RunAsync("get", "priorityclass", name, "-o", "jsonpath={.value} {.description} {.preemptionPolicy}"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Delete_with_cascade_orphan_leaves_the_dependents()
    {
        using var kubectl = await OpenAsync();
        await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-");
        var uid = await kubectl.RunAsync("get", "widget", "haiku", "-o", "jsonpath={.metadata.uid}");
        await kubectl.RunWithInputAsync(
            $$$"""
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "ownerReferences": [
              {"apiVersion": "example.test/v1", "kind": "Widget", "name": "haiku", "uid": "{{{uid}}}", "controller": true, "blockOwnerDeletion": true}]}}
            """, "create", "-f", "-");
        await kubectl.RunAsync("delete", "widget", "haiku", "--cascade=orphan");
        Assert.Equal("c", await kubectl.RunAsync("get", "configmap", "c", "-o", "jsonpath={.metadata.name}{.metadata.ownerReferences}"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Get_prints_the_columns_of_the_definition()
    {
        using var kubectl = await OpenAsync();
        await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-");
        var wide = await kubectl.RunAsync("get", "wi", "-o", "wide");
        Assert.Matches(@"NAME +REPLICAS +READY +SOURCE +AGE", wide);
        Assert.Matches(@"haiku +2 +hf://haiku +\d+s", wide);
        Assert.Contains("kind: Widget", await kubectl.RunAsync("get", "widgets", "haiku", "-o", "yaml"));
        Assert.Contains("widget.example.test/haiku", await kubectl.RunAsync("get", "all", "-o", "name"));
        Assert.Contains("haiku", await kubectl.RunAsync("get", "widgets", "-A", "-l", "app in (haiku, other)", "--show-labels"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Get_with_watch_prints_changes_as_they_come()
    {
        using var kubectl = await OpenAsync();
        await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-");
        using var watch = kubectl.Start("get", "widgets", "-w");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        Assert.StartsWith("NAME", await watch.StandardOutput.ReadLineAsync(limit.Token));
        Assert.Matches("^haiku +2", await watch.StandardOutput.ReadLineAsync(limit.Token));
        await fixture.Client.MergeAsync($"{Fixtures.WidgetsIn(kubectl.Namespace)}/haiku", Fixtures.Json("""{"spec": {"replicas": 7}}"""));
        Assert.Matches("^haiku +7", await watch.StandardOutput.ReadLineAsync(limit.Token));
        watch.Kill();
        await watch.WaitForExitAsync(limit.Token);
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Scale_patch_label_annotate_and_wait_work_on_a_custom_resource()
    {
        using var kubectl = await OpenAsync();
        await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-");
        Assert.Contains("scaled", await kubectl.RunAsync("scale", "widget", "haiku", "--replicas=3"));
        Assert.Contains("scaled", await kubectl.RunAsync("scale", "widget", "haiku", "--current-replicas=3", "--replicas=5"));
        Assert.Contains("labeled", await kubectl.RunAsync("label", "widget", "haiku", "tier=gold"));
        Assert.Contains("annotated", await kubectl.RunAsync("annotate", "widget", "haiku", "note=hi"));
        Assert.Contains(
            "patched", await kubectl.RunAsync("patch", "widget", "haiku", "--type=merge", "-p", """{"spec":{"mode":"Slow"}}"""));
        Assert.Contains(
            "patched",
            await kubectl.RunAsync(
                "patch", "widget", "haiku", "--type=json", "-p", """[{"op":"replace","path":"/spec/source","value":"oci://x"}]"""));
        Assert.Contains(
            "patched",
            await kubectl.RunAsync(
                "patch", "widget", "haiku", "--subresource=status", "--type=merge", "-p",
                """{"status":{"conditions":[{"type":"Ready","status":"True"}]}}"""));
        Assert.Contains("condition met", await kubectl.RunAsync("wait", "widget/haiku", "--for=condition=Ready", "--timeout=20s"));
        Assert.Equal(
            "5 Slow oci://x gold",
            await kubectl.RunAsync(
                "get", "widget", "haiku", "-o", "jsonpath={.spec.replicas} {.spec.mode} {.spec.source} {.metadata.labels.tier}"));
        Assert.Contains("deleted", await kubectl.RunAsync("delete", "widget", "haiku", "--timeout=20s"));
        var (code, gone) = await kubectl.TryAsync(null, "get", "widget", "haiku");
        Assert.Equal(1, code);
        Assert.Contains("Error from server (NotFound): widgets.example.test \"haiku\" not found", gone);
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Describe_shows_a_pod_with_its_events()
    {
        using var kubectl = await OpenAsync();
        var pod = await fixture.Client.CreateAsync(Fixtures.PodsIn(kubectl.Namespace), Fixtures.Pod("p"));
        await fixture.Client.CreateAsync($"/api/v1/namespaces/{kubectl.Namespace}/events", new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "p.1" },
            ["involvedObject"] = new JsonObject
            {
                ["kind"] = "Pod",
                ["name"] = "p",
                ["namespace"] = kubectl.Namespace,
                ["uid"] = (string)pod["metadata"]!["uid"]!
            },
            ["reason"] = "Started",
            ["message"] = "it started",
            ["type"] = "Normal",
            ["firstTimestamp"] = (string)pod["metadata"]!["creationTimestamp"]!,
            ["lastTimestamp"] = (string)pod["metadata"]!["creationTimestamp"]!,
            ["count"] = 1,
        });
        var description = await kubectl.RunAsync("describe", "pod", "p");
        Assert.Matches(@"Status: +Pending", description);
        Assert.Matches(@"QoS Class: +BestEffort", description);
        Assert.Matches(@"Normal +Started .*it started", description);
        Assert.Matches(@"p +0/1 +Pending +0 +\d+s", await kubectl.RunAsync("get", "pods"));
        Assert.Matches(@"Normal +Started +pod/p +it started", await kubectl.RunAsync("get", "events"));
        Assert.Matches(@"p +0/1 +Pending +0 +\d+s +<none> +<none> +<none> +<none>", await kubectl.RunAsync("get", "pods", "-o", "wide"));
        Assert.Contains("hello from", await kubectl.RunAsync("logs", "p", "--tail=5"));
        Assert.StartsWith(
            "pod/p configured\n",
            await kubectl.RunWithInputAsync(
                """{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"containers": [{"name": "worker", "image": "local/worker:2"}]}}""", "apply", "-f", "-"));
        Assert.Equal("local/worker:2", await kubectl.RunAsync("get", "pod", "p", "-o", "jsonpath={.spec.containers[0].image}"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Describe_shows_a_custom_resource()
    {
        using var kubectl = await OpenAsync();
        await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-");
        Assert.Matches(@"Source: +hf://haiku", await kubectl.RunAsync("describe", "widget", "haiku"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Explain_reads_the_schema_of_the_definition()
    {
        using var kubectl = await OpenAsync();
        var text = await kubectl.RunAsync("explain", "widget.spec");
        Assert.Contains("What the widget should be.", text);
        Assert.Contains("replicas\t<integer>", text);
        Assert.Contains("ENUM:", await kubectl.RunAsync("explain", "widget.spec.mode"));
        Assert.Contains("KIND:       Pod", await kubectl.RunAsync("explain", "pod"));
        Assert.Contains("FIELD: readinessProbe <Probe>", await kubectl.RunAsync("explain", "pod.spec.containers.readinessProbe"));
        Assert.Contains("periodSeconds\t<integer>", await kubectl.RunAsync("explain", "pod.spec.containers.readinessProbe"));
        Assert.Contains("port\t<integer> -required-", await kubectl.RunAsync("explain", "service.spec.ports"));
        Assert.Contains("phase\t<string>", await kubectl.RunAsync("explain", "pod.status", "--recursive"));
        var affinity = await kubectl.RunAsync("explain", "pod.spec.affinity.nodeAffinity");
        Assert.Contains("FIELD: nodeAffinity <NodeAffinity>", affinity);
        Assert.Contains("preferredDuringSchedulingIgnoredDuringExecution\t<[]PreferredSchedulingTerm>", affinity);
        Assert.Contains("List of containers belonging to the pod.", await kubectl.RunAsync("explain", "pod.spec.containers"));
        Assert.Contains("limits\t<map[string]Quantity>", await kubectl.RunAsync("explain", "pod.spec.containers.resources"));
        Assert.Contains("targetPort\t<IntOrString>", await kubectl.RunAsync("explain", "service.spec.ports"));
        Assert.Contains("nodePublishSecretRef\t<LocalObjectReference>", await kubectl.RunAsync("explain", "pod.spec", "--recursive"));
        Assert.Contains("matchConditions\t<[]MatchCondition>", await kubectl.RunAsync("explain", "validatingadmissionpolicy.spec"));
        Assert.Contains("creationTimestamp\t<string>", await kubectl.RunAsync("explain", "widget.metadata"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Discovery_lists_built_in_and_custom_resources()
    {
        using var kubectl = await OpenAsync();
        var resources = await kubectl.RunAsync("api-resources");
        Assert.Matches(@"pods +po +v1 +true +Pod", resources);
        Assert.Matches(@"widgets +wi +example.test/v1 +true +Widget", resources);
        Assert.Contains("example.test/v1", await kubectl.RunAsync("api-versions"));
        Assert.Contains("v1.36.0", await kubectl.RunAsync("version"));
        Assert.Contains("yes", await kubectl.RunAsync("auth", "can-i", "create", "pods"));
        Assert.Contains("local-admin", await kubectl.RunAsync("auth", "whoami"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Built_in_kinds_apply_with_strategic_merge()
    {
        using var kubectl = await OpenAsync();
        const string Service = """
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec:
              selector: {app: web}
              ports:
              - {name: http, port: 80}
              - {name: grpc, port: 90}
            """;
        await kubectl.RunWithInputAsync(Service, "apply", "-f", "-");
        Assert.Equal(
            "service/web configured\n", await kubectl.RunWithInputAsync(Service.Replace("port: 90", "port: 91"), "apply", "-f", "-"));
        Assert.Equal("80 91", await kubectl.RunAsync("get", "svc", "web", "-o", "jsonpath={.spec.ports[*].port}"));
        Assert.Matches(@"web +ClusterIP +10\.96\.\d+\.\d+ +<none> +80/TCP,91/TCP", await kubectl.RunAsync("get", "svc"));
        await kubectl.RunAsync("create", "configmap", "c", "--from-literal=a=b");
        await kubectl.RunAsync("create", "namespace", $"{kubectl.Namespace}-more");
        await kubectl.RunAsync("create", "serviceaccount", "sa");
        await kubectl.RunAsync("create", "role", "r", "--verb=get", "--resource=pods");
        await kubectl.RunAsync("create", "rolebinding", "rb", "--role=r", $"--serviceaccount={kubectl.Namespace}:sa");
        await kubectl.RunAsync("create", "service", "clusterip", "cs", "--tcp=80:8080");
        Assert.Equal(
            "80 8080", await kubectl.RunAsync("get", "svc", "cs", "-o", "jsonpath={.spec.ports[0].port} {.spec.ports[0].targetPort}"));
        await kubectl.RunAsync("create", "secret", "generic", "s", "--from-literal=a=b");
        await kubectl.RunAsync("create", "deployment", "d", "--image=x", "--replicas=2");
        await kubectl.RunAsync("set", "image", "deployment/d", "x=y:2");
        await kubectl.RunAsync("scale", "deployment", "d", "--replicas=1");
        Assert.Equal(
            "y:2 1",
            await kubectl.RunAsync("get", "deploy", "d", "-o", "jsonpath={.spec.template.spec.containers[0].image} {.spec.replicas}"));
        await kubectl.RunAsync("run", "one", "--image=x");
        Assert.Contains("deleted", await kubectl.RunAsync("delete", "pod,svc,cm,secret,deploy", "--all", "--timeout=20s"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Nodes_can_be_cordoned_drained_and_labelled()
    {
        using var kubectl = await OpenAsync();
        var name = $"node-{kubectl.Namespace}";
        await fixture.Client.CreateAsync(
            "/api/v1/nodes",
            Fixtures.Json(
                $$$"""{"metadata": {"name": "{{{name}}}"}, "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1"} } }"""));
        await kubectl.RunAsync("label", "node", name, "a=b");
        await kubectl.RunAsync("taint", "node", name, "k=v:NoSchedule");
        Assert.Contains("cordoned", await kubectl.RunAsync("cordon", name));
        Assert.Matches($@"{name} +Ready,SchedulingDisabled +<none> +\d+s +v1", await kubectl.RunAsync("get", "nodes"));
        Assert.Matches(@"Taints: +k=v:NoSchedule", await kubectl.RunAsync("describe", "node", name));
        Assert.Contains("drained", await kubectl.RunAsync("drain", name, "--force", "--timeout=20s"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Dry_run_and_diff_write_nothing()
    {
        using var kubectl = await OpenAsync();
        Assert.Contains("created (server dry run)", await kubectl.RunWithInputAsync(Manifest, "apply", "--dry-run=server", "-f", "-"));
        await fixture.Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, $"{Fixtures.WidgetsIn(kubectl.Namespace)}/haiku");
        var (code, diff) = await kubectl.TryAsync(Manifest, "diff", "-f", "-");
        Assert.True(code <= 1, diff);
        Assert.Contains("+  source: hf://haiku", diff);
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Apply_prunes_edit_saves_and_patches_fail_as_on_a_real_cluster()
    {
        using var kubectl = await OpenAsync();
        const string One = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, labels: {set: x}}\ndata: {k: v}\n";
        await kubectl.RunWithInputAsync($"{One}---\n{One.Replace("one", "two")}", "apply", "--prune", "-l", "set=x", "-f", "-");
        Assert.Contains("configmap/two pruned", await kubectl.RunWithInputAsync(One, "apply", "--prune", "-l", "set=x", "-f", "-"));

        var editor = kubectl.WriteFile("editor", "#!/bin/sh\nsed -i 's/k: v/k: w/' \"$1\"\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(editor, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        kubectl.Environment["EDITOR"] = editor;
        Assert.Contains("configmap/one edited", await kubectl.RunAsync("edit", "configmap", "one"));
        Assert.Equal("w", await kubectl.RunAsync("get", "configmap", "one", "-o", "jsonpath={.data.k}"));

        var (_, test) = await kubectl.TryAsync(
            null, "patch", "configmap", "one", "--type=json", "-p", """[{"op":"test","path":"/data/k","value":"x"}]""");
        Assert.Contains("The request is invalid: the server rejected our request due to an error in our request", test);
        var (_, unknown) = await kubectl.TryAsync(
            null, "patch", "configmap", "one", "--type=json", "-p", """[{"op":"bad","path":"/data"}]""");
        Assert.Contains("The request is invalid", unknown);
        Assert.Contains("unknown field \"datta\"", await kubectl.RunAsync("patch", "configmap", "one", "-p", """{"datta":{"a":"b"}}"""));
        Assert.Contains(
            "RollingUpdateStrategy:  25% max unavailable, 25% max surge",
            await kubectl.RunAsync("create", "deployment", "d", "--image=x") + await kubectl.RunAsync("describe", "deployment", "d"));
        Assert.Contains("local mode serves ModelDeployments", (await kubectl.TryAsync(
            "apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\n", "create", "-f", "-")).Output);
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Deleting_a_namespace_or_a_definition_waits_until_its_objects_are_gone()
    {
        using var kubectl = await OpenAsync();
        await kubectl.RunWithInputAsync(Manifest, "apply", "-f", "-");
        Assert.Contains("deleted", await kubectl.RunAsync("delete", "namespace", kubectl.Namespace, "--timeout=30s"));
        await fixture.Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, $"{Fixtures.WidgetsIn(kubectl.Namespace)}/haiku");

        var definition = kubectl.WriteFile("crd.json", Fixtures.WidgetDefinition("other.test", "gadgets", "Gadget").ToJsonString());
        await kubectl.RunAsync("create", "-f", definition);
        Assert.Contains(
            "condition met", await kubectl.RunAsync("wait", "crd/gadgets.other.test", "--for=condition=Established", "--timeout=20s"));
        await kubectl.RunWithInputAsync(
            Manifest.Replace("example.test", "other.test").Replace("Widget", "Gadget"), "create", "--namespace=default", "-f", "-");
        Assert.Contains("deleted", await kubectl.RunAsync("delete", "-f", definition, "--timeout=30s"));
        await fixture.Client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Get, "/apis/other.test/v1/gadgets");
    }
}
