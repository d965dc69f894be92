using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Fields;
using Cluster.Operator.Local.ApiServer.Resources;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Fields of built-in kinds at every depth, in the words of a kube-apiserver.</summary>
public sealed class BuiltInFieldTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private const string Merge = "application/merge-patch+json";
    private const string Strategic = "application/strategic-merge-patch+json";
    private const string JsonPatch = "application/json-patch+json";
    private const string Apply = "application/apply-patch+yaml";

    private ApiClient Client => fixture.Client;

    public static TheoryData<string, string, string, string> Misspelt => new()
    {
        {
            "api/v1", "pods", """{"spec": {"containers": [{"name": "a", "image": "b", "imagee": "c", "env": [{"nam": "x"}]}]}}""",
            "Pod|spec.containers[0].imagee|spec.containers[0].env[0].nam"
        },
        {
            "api/v1", "pods",
            """{"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"terms": []}}}}}""",
            "Pod|spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.terms"
        },
        { "api/v1", "services", """{"spec": {"ports": [{"port": 80, "targetport": 8080}]}}""", "Service|spec.ports[0].targetport" },
        { "api/v1", "configmaps", """{"datta": {"a": "b"}}""", "ConfigMap|datta" },
        { "api/v1", "secrets", """{"stringdata": {"a": "b"}}""", "Secret|stringdata" },
        { "api/v1", "nodes", """{"spec": {"taints": [{"key": "a", "effekt": "NoSchedule"}]}}""", "Node|spec.taints[0].effekt" },
        { "api/v1", "namespaces", """{"spec": {"finaliser": []}}""", "Namespace|spec.finaliser" },
        { "api/v1", "events", """{"involvedObject": {"nam": "a"}}""", "Event|involvedObject.nam" },
        { "api/v1", "serviceaccounts", """{"secrets": [{"nam": "a"}]}""", "ServiceAccount|secrets[0].nam" },
        {
            "api/v1", "persistentvolumeclaims", """{"spec": {"resources": {"request": {"storage": "1Gi"}}}}""",
            "PersistentVolumeClaim|spec.resources.request"
        },
        { "apis/coordination.k8s.io/v1", "leases", """{"spec": {"holder": "a"}}""", "Lease|spec.holder" },
        { "apis/policy/v1", "poddisruptionbudgets", """{"spec": {"minavailable": 1}}""", "PodDisruptionBudget|spec.minavailable" },
        { "apis/rbac.authorization.k8s.io/v1", "roles", """{"rules": [{"verb": ["get"]}]}""", "Role|rules[0].verb" },
        {
            "apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", """{"subjects": [{"nname": "a"}]}""",
            "ClusterRoleBinding|subjects[0].nname"
        },
        { "apis/discovery.k8s.io/v1", "endpointslices", """{"endpoints": [{"adresses": []}]}""", "EndpointSlice|endpoints[0].adresses" },
        {
            "apis/resource.k8s.io/v1", "resourceclaimtemplates",
            """{"spec": {"spec": {"devices": {"requests": [{"exact": 1, "exactly": {"clas": "a"}}]}}}}""",
            "ResourceClaimTemplate|spec.spec.devices.requests[0].exact|spec.spec.devices.requests[0].exactly.clas"
        },
        {
            "apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicies", """{"spec": {"validations": [{"expresion": "true"}]}}""",
            "ValidatingAdmissionPolicy|spec.validations[0].expresion"
        },
        {
            "apis/networking.k8s.io/v1", "networkpolicies", """{"spec": {"ingress": [{"from": [{"podselector": {}}]}]}}""",
            "NetworkPolicy|spec.ingress[0].from[0].podselector"
        },
        { "apis/autoscaling/v2", "horizontalpodautoscalers", """{"spec": {"metrics": [{"typ": "Resource"}]}}""",
            "HorizontalPodAutoscaler|spec.metrics[0].typ" },
        { "apis/apps/v1", "deployments", """{"spec": {"template": {"spec": {"volumes": [{"emptydir": {}}]}}}}""",
            "Deployment|spec.template.spec.volumes[0].emptydir" },
        { "apis/scheduling.k8s.io/v1", "priorityclasses", """{"vallue": 1}""", "PriorityClass|vallue" },
        { "apis/node.k8s.io/v1", "runtimeclasses", """{"overhead": {"pod": {}}}""", "RuntimeClass|overhead.pod" },
    };

    [Theory, MemberData(nameof(Misspelt))]
    public async Task Unknown_fields_are_refused_under_strict_validation(string version, string plural, string body, string expected)
    {
        var (kind, fields) = (expected.Split('|')[0], expected.Split('|')[1..]);
        var value = (JsonObject)Fixtures.Json(body);
        value["metadata"] = new JsonObject { ["name"] = $"x-{Guid.NewGuid():n}" };
        var isWide = plural is "nodes" or "namespaces" or "clusterrolebindings" or "validatingadmissionpolicies" or "priorityclasses"
            or "runtimeclasses";
        var path = isWide ? $"/{version}/{plural}" : $"/{version}/namespaces/{await fixture.NewNamespaceAsync()}/{plural}";
        var refused = await Client.ExpectAsync(HttpStatusCode.BadRequest, HttpMethod.Post, $"{path}?fieldValidation=Strict", value);
        Assert.Equal(
            $"{kind} in version \"{version.Split('/')[^1]}\" cannot be handled as a {kind}: strict decoding error: "
            + string.Join(", ", fields.Select(field => $"unknown field \"{field}\"")), (string?)refused["message"]);
    }

    [Fact]
    public async Task Unknown_fields_are_warned_of_and_dropped_otherwise()
    {
        var path = Fixtures.PodsIn(await fixture.NewNamespaceAsync());
        var pod = Fixtures.Pod("p");
        pod["spec"]!["containers"]![0]!["imagee"] = "x";
        using (var warned = await Client.SendAsync(HttpMethod.Post, path, pod))
        {
            Assert.Equal(
                "299 - \"unknown field \\\"spec.containers[0].imagee\\\"\"", Assert.Single(warned.Headers.GetValues("Warning")));
            Assert.DoesNotContain("imagee", await warned.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        using var ignored = await Client.SendAsync(HttpMethod.Post, $"{path}?fieldValidation=Ignore", Renamed(pod, "q"));
        Assert.False(ignored.Headers.Contains("Warning"));
        Assert.DoesNotContain("imagee", await ignored.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_warning_has_the_field_as_it_was_written_or_is_left_out()
    {
        var path = Fixtures.ConfigMapsIn(await fixture.NewNamespaceAsync());
        var map = Fixtures.ConfigMap("a");
        map["d\u0001ta"] = "x";
        map["\u00e4"] = "x";
        using var warned = await Client.SendAsync(HttpMethod.Post, path, map);
        Assert.Equal(HttpStatusCode.Created, warned.StatusCode);
        Assert.Single(warned.Headers.GetValues("Warning"));
    }

    [Fact]
    public async Task A_patch_is_refused_as_an_invalid_patch()
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.PodsIn(space), Fixtures.Pod("p"));
        var path = $"{Fixtures.PodsIn(space)}/p?fieldValidation=Strict";

        var strategic = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, path,
            Fixtures.Json("""{"spec": {"containers": [{"name": "worker", "imagee": "x"}]}, "a": true}"""), Strategic);
        Assert.Equal(
            " \"\" is invalid: patch: Invalid value: \"map[a:true spec:map[containers:[map[imagee:x name:worker]]]]\": strict decoding "
            + "error: unknown field \"a\", unknown field \"spec.containers[0].imagee\"", (string?)strategic["message"]);

        var merge = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, path, Fixtures.Json("""{"spec": {"nodename": "x"}}"""), Merge);
        Assert.StartsWith(" \"\" is invalid: patch: Invalid value: \"{\\\"", (string?)merge["message"], StringComparison.Ordinal);
        Assert.EndsWith("strict decoding error: unknown field \"spec.nodename\"", (string?)merge["message"], StringComparison.Ordinal);

        var operations = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, path,
            Fixtures.Json("""[{"op": "add", "path": "/spec/containers/0/imagee", "value": "x"}]"""), JsonPatch);
        Assert.EndsWith("unknown field \"spec.containers[0].imagee\"", (string?)operations["message"], StringComparison.Ordinal);
        Assert.Equal("patch", (string?)operations["details"]!["causes"]![0]!["field"]);
    }

    [Theory]
    [InlineData("""{"containers": [{"name": "c", "imagee": "x"}]}""", ".spec.containers[name=\"c\"].imagee: field not declared in schema")]
    [InlineData(
        """{"containers": [{"name": "c", "ports": [{"containerPort": 1, "x": 1}]}]}""",
        ".spec.containers[name=\"c\"].ports[containerPort=1,protocol=\"TCP\"].x: field not declared in schema")]
    [InlineData(
        """{"containers": [{"name": "c", "env": [{"name": "A", "value": 1}]}]}""",
        ".spec.containers[name=\"c\"].env[name=\"A\"].value: expected string, got &value.valueUnstructured{Value:1}")]
    [InlineData("""{"terminationGracePeriodSeconds": "1"}""",
        ".spec.terminationGracePeriodSeconds: expected numeric (int or float), got string")]
    [InlineData("""{"hostNetwork": "yes"}""", ".spec.hostNetwork: expected boolean, got &{yes}")]
    [InlineData("""{"containers": {"a": 1}}""", ".spec.containers: expected list, got &{map[a:1]}")]
    [InlineData("""{"affinity": []}""", ".spec.affinity: expected map, got &{[]}")]
    [InlineData(
        """{"x": 1, "y": 2}""", "errors:\n  .spec.x: field not declared in schema\n  .spec.y: field not declared in schema")]
    public async Task An_applied_configuration_must_fit_the_schema_whatever_the_validation(string spec, string problem)
    {
        var space = await fixture.NewNamespaceAsync();
        var body = Fixtures.Json($$"""{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {{spec}}}""");
        var refused = await Client.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Patch, $"{Fixtures.PodsIn(space)}/p?fieldManager=m&fieldValidation=Ignore", body, Apply);
        Assert.Equal($"failed to create typed patch object (/p; /v1, Kind=Pod): {problem}", (string?)refused["message"]);
    }

    [Fact]
    public async Task An_applied_custom_resource_must_fit_its_definition()
    {
        var space = await fixture.NewNamespaceAsync();
        var body = Fixtures.Widget("w", """{"source": "hf://a", "replicas": "two", "foo": 1}""");
        body["metadata"]!["namespace"] = space;
        body["metadata"]!["label"] = "x";
        var refused = await Client.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Patch, $"{Fixtures.WidgetsIn(space)}/w?fieldManager=m", body, Apply);
        var message = (string)refused["message"]!;
        Assert.StartsWith(
            $"failed to create typed patch object ({space}/w; example.test/v1, Kind=Widget): errors:\n  ", message,
            StringComparison.Ordinal);
        Assert.Contains(".spec.foo: field not declared in schema", message, StringComparison.Ordinal);
        Assert.Contains(".metadata.label: field not declared in schema", message, StringComparison.Ordinal);
        Assert.Contains(".spec.replicas: expected numeric (int or float), got string", message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string> Mistyped => new()
    {
        { "deployments", """{"spec": {"replicas": "2"}}""",
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32" },
        { "pods", """{"spec": {"containers": {}}}""",
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container" },
        {
            "pods", """{"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}""",
            "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string"
        },
        { "pods", """{"metadata": {"labels": {"a": true}}}""",
            "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string" },
        { "pods", """{"spec": {"restartPolicy": 1}}""",
            "json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy" },
        {
            "pods", """{"spec": {"terminationGracePeriodSeconds": 1.5}}""",
            "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64"
        },
        {
            "pods", """{"spec": {"containers": [{"resources": {"limits": "x"}}]}}""",
            "json: cannot unmarshal string into Go struct field ResourceRequirements.spec.containers.resources.limits "
                + "of type v1.ResourceList"
        },
        {
            "pods", """{"spec": {"containers": [{"resources": {"limits": {"cpu": "1x"}}}]}}""",
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        },
        { "pods", """{"spec": {"containers": [{"resources": {"limits": {"cpu": "1mm"}}}]}}""", "unable to parse quantity's suffix" },
        {
            "pods", """{"spec": {"volumes": [{"name": "v", "hostPath": "/x"}]}}""",
            "json: cannot unmarshal string into Go struct field Volume.spec.volumes.hostPath of type v1.HostPathVolumeSource"
        },
        {
            "services", """{"spec": {"ports": [{"targetPort": {}}]}}""",
            "json: cannot unmarshal object into Go struct field ServicePort.spec.ports.targetPort of type int32"
        },
        { "services", """{"spec": {"selector": []}}""",
            "json: cannot unmarshal array into Go struct field ServiceSpec.spec.selector of type map[string]string" },
        { "configmaps", """{"data": {"a": 1}}""", "json: cannot unmarshal number into Go struct field ConfigMap.data of type string" },
        { "secrets", """{"data": {"a": "!"}}""", "illegal base64 data at input byte 0" },
        { "secrets", """{"data": {"a": "YWJj*"}}""", "illegal base64 data at input byte 4" },
        { "secrets", """{"data": {"a": "YWJjZA"}}""", "illegal base64 data at input byte 4" },
        { "secrets", """{"data": {"a": "YWJj="}}""", "illegal base64 data at input byte 4" },
        {
            "leases", """{"spec": {"renewTime": "yesterday"}}""",
            "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\""
        },
    };

    [Theory, MemberData(nameof(Mistyped))]
    public async Task Wrong_types_are_refused_in_the_words_of_go(string plural, string body, string problem)
    {
        var (version, kind) = plural switch
        {
            "deployments" => ("apis/apps/v1", "Deployment"),
            "leases" => ("apis/coordination.k8s.io/v1", "Lease"),
            "pods" => ("api/v1", "Pod"),
            "services" => ("api/v1", "Service"),
            "configmaps" => ("api/v1", "ConfigMap"),
            _ => ("api/v1", "Secret"),
        };
        var value = (JsonObject)Fixtures.Json(body);
        ((JsonObject)(value["metadata"] ??= new JsonObject()))["name"] = "x";
        var refused = await Client.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Post, $"/{version}/namespaces/default/{plural}?fieldValidation=Ignore", value);
        Assert.Equal($"{kind} in version \"v1\" cannot be handled as a {kind}: {problem}", (string?)refused["message"]);
    }

    [Theory]
    [InlineData("""{"spec": {"containers": {"a": 1}}}""", "cannot restore slice from map")]
    [InlineData("""{"spec": {"affinity": "x"}}""", "cannot restore struct from: string")]
    [InlineData("""{"spec": {"nodeSelector": 1}}""", "cannot restore map from int64")]
    [InlineData("""{"metadata": {"labels": {"a": 1}}}""", "cannot convert int64 to string")]
    [InlineData("""{"spec": {"priority": "1"}}""", "unrecognized type: int32")]
    [InlineData("""{"spec": {"hostNetwork": "x"}}""", "unrecognized type: bool")]
    public async Task Strategic_merge_patches_fail_in_the_words_of_the_converter(string patch, string problem)
    {
        var space = await fixture.NewNamespaceAsync();
        await Client.CreateAsync(Fixtures.PodsIn(space), Fixtures.Pod("p"));
        var refused = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, $"{Fixtures.PodsIn(space)}/p", Fixtures.Json(patch), Strategic);
        Assert.EndsWith($"\": {problem}", (string?)refused["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nulls_of_items_and_values_become_zero_values()
    {
        var path = Fixtures.PodsIn(await fixture.NewNamespaceAsync());
        var pod = Fixtures.Pod("p");
        pod["spec"]!["containers"]![0]!["args"] = Fixtures.Json("""["a", null]""");
        pod["spec"]!["tolerations"] = Fixtures.Json("[null]");
        var created = await Client.CreateAsync($"{path}?fieldValidation=Strict", pod);
        Assert.Equal("""["a",""]""", created["spec"]!["containers"]![0]!["args"]!.ToJsonString());
        Assert.Equal("[{}]", created["spec"]!["tolerations"]!.ToJsonString());
    }

    [Fact]
    public async Task What_go_would_not_write_is_not_stored_and_quantities_are_written_its_way()
    {
        var path = Fixtures.PodsIn(await fixture.NewNamespaceAsync());
        var pod = Fixtures.Pod("p");
        pod["metadata"]!["annotations"] = new JsonObject();
        pod["spec"]!["tolerations"] = new JsonArray();
        pod["spec"]!["volumes"] = Fixtures.Json("""[{"name": "v", "emptyDir": {}}]""");
        pod["spec"]!["containers"]![0]!["resources"] =
            Fixtures.Json("""{"limits": {"cpu": 0.5, "memory": "1024Mi", "a/b": "2000", "c/d": 3}}""");
        var created = await Client.CreateAsync($"{path}?fieldValidation=Strict", pod);
        Assert.False(created["metadata"]!.AsObject().ContainsKey("annotations"));
        Assert.False(created["spec"]!.AsObject().ContainsKey("tolerations"));
        Assert.Equal("{}", created["spec"]!["volumes"]![0]!["emptyDir"]!.ToJsonString());
        Assert.Equal(
            """{"cpu":"500m","memory":"1Gi","a/b":"2k","c/d":"3"}""",
            created["spec"]!["containers"]![0]!["resources"]!["limits"]!.ToJsonString());
    }

    /// <summary>The library's arithmetic does not end with some of them, and fails on others.</summary>
    [Theory]
    [InlineData("-1e3")]
    [InlineData("-500m")]
    [InlineData("1e999999999")]
    [InlineData("123456789012345678901234567891")]
    public void A_quantity_that_the_library_cannot_write_stays_as_it_is(string text) =>
        Assert.Null(GoScalars.CanonicalQuantity(JsonValue.Create(text)));

    [Fact]
    public async Task Owners_are_named_whole()
    {
        var map = Fixtures.ConfigMap("a", """{"ownerReferences": [{"name": "x"}]}""");
        var refused = await Client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, Fixtures.ConfigMapsIn("default"), map);
        Assert.Equal(
            ["metadata.ownerReferences.apiVersion", "metadata.ownerReferences.kind", "metadata.ownerReferences.uid"],
            refused["details"]!["causes"]!.AsArray().Select(cause => (string)cause!["field"]!));
    }

    [Fact]
    public void The_fields_of_every_built_in_kind_are_known_and_described()
    {
        foreach (var type in BuiltInResources.All(new ResourceStrategy()))
        {
            var known = GoTypes.Of(type);
            Assert.True(known is not null, type.Kind);
            Assert.Equal($"{type.Version}.{type.Kind}", known.Name);
            Assert.True(known.Fields.ContainsKey("apiVersion"), type.Kind);
            Assert.NotEmpty(Operator.Local.ApiServer.Discovery.FieldDescriptions.Of(known.Member) ?? "");
        }
    }

    [Fact]
    public async Task Every_reference_of_the_published_schemas_has_its_target()
    {
        var index = await Client.GetAsync("/openapi/v3");
        foreach (var (path, entry) in (JsonObject)index["paths"]!)
        {
            var document = await Client.GetAsync((string)entry!["serverRelativeURL"]!);
            var schemas = (JsonObject)document["components"]!["schemas"]!;
            foreach (var reference in References(document))
            {
                var name = reference.Replace("#/components/schemas/", "", StringComparison.Ordinal);
                Assert.True(schemas.ContainsKey(name), $"{path}: {reference}");
            }
        }

        static IEnumerable<string> References(JsonNode? node) => node switch
        {
            JsonObject map => map.SelectMany(
                member => member is { Key: "$ref", Value: JsonValue value } ? [(string)value!] : References(member.Value)),
            JsonArray list => list.SelectMany(References),
            _ => [],
        };
    }

    private static JsonObject Renamed(JsonObject value, string name)
    {
        var copy = (JsonObject)value.DeepClone();
        copy["metadata"]!["name"] = name;
        return copy;
    }
}
