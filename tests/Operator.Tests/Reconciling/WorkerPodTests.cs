using System.Reflection;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class WorkerPodTests
{
    private static readonly string[] NeverSet = ["HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"];

    [Fact]
    public void A_pod_of_the_sample_reads_like_this()
    {
        var pod = Build(Given.Deployment());
        Assert.Equal("Pod", pod["kind"]!.ToString());
        var metadata = pod["metadata"]!;
        Assert.Equal("haiku-abcde", metadata["name"]!.ToString());
        Assert.Equal("ns", metadata["namespace"]!.ToString());
        Assert.Equal("haiku", metadata["labels"]!["app.kubernetes.io/instance"]!.ToString());
        Assert.Equal("cluster-operator", metadata["labels"]!["app.kubernetes.io/managed-by"]!.ToString());
        Assert.Equal("haiku", metadata["labels"]![ApiNames.DeploymentLabel]!.ToString());
        Assert.Matches("^[0-9a-f]{10}$", metadata["labels"]![ApiNames.TemplateHashLabel]!.ToString());
        Assert.Equal("n1", metadata["annotations"]![ApiNames.GpuNodeAnnotation]!.ToString());
        Assert.Equal("0", metadata["annotations"]![ApiNames.GpuIndicesAnnotation]!.ToString());
        Assert.Equal("GPU-0000000000000001", metadata["annotations"]![ApiNames.GpuUuidsAnnotation]!.ToString());
        Assert.Equal(
            """[{"apiVersion":"serving.cluster.sh/v1alpha1","kind":"ModelDeployment","name":"haiku","uid":"uid-of-haiku","controller":true,"blockOwnerDeletion":true}]""",
            metadata["ownerReferences"]!.ToJsonString());

        var spec = pod["spec"]!;
        Assert.Null(spec["nodeName"]);
        Assert.Equal("Always", spec["restartPolicy"]!.ToString());
        Assert.Equal(65, spec["terminationGracePeriodSeconds"]!.GetValue<int>());
        Assert.Equal(
            """{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"In","values":["n1"]}]}]}}}""",
            spec["affinity"]!.ToJsonString());
        Assert.Equal("""[{"name":"model","hostPath":{"path":"/data/haiku-1m","type":"Directory"}}]""", spec["volumes"]!.ToJsonString());

        var container = Assert.Single(spec["containers"]!.AsArray())!;
        Assert.Equal("worker", container["name"]!.ToString());
        Assert.Equal("worker:test", container["image"]!.ToString());
        Assert.Equal(
            "serve --model /models/haiku-1m --host 0.0.0.0 --port 8000 --grpc-port 50051 --served-model-name haiku "
            + "--tensor-parallel-size 1 --shutdown-timeout 45",
            Arguments(pod));
        Assert.Equal(
            """[{"name":"http","containerPort":8000,"protocol":"TCP"},{"name":"grpc","containerPort":50051,"protocol":"TCP"}]""",
            container["ports"]!.ToJsonString());
        Assert.Equal("""[{"name":"model","mountPath":"/models/haiku-1m","readOnly":true}]""", container["volumeMounts"]!.ToJsonString());
        Assert.Equal("""{"privileged":true}""", container["securityContext"]!.ToJsonString());
        Assert.Equal("""{"preStop":{"sleep":{"seconds":5}}}""", container["lifecycle"]!.ToJsonString());
        Assert.Equal("/ready", container["startupProbe"]!["httpGet"]!["path"]!.ToString());
        Assert.Equal("/ready", container["readinessProbe"]!["httpGet"]!["path"]!.ToString());
        Assert.Equal("/health", container["livenessProbe"]!["httpGet"]!["path"]!.ToString());
        Assert.Equal(["ROCR_VISIBLE_DEVICES", "POD_NAME", "POD_NAMESPACE"], Names(pod));
        Assert.Equal("GPU-0000000000000001", Value(pod, "ROCR_VISIBLE_DEVICES"));
    }

    [Fact]
    public void Every_engine_field_has_its_flag()
    {
        var plain = Given.Deployment();
        var without = Arguments(Build(plain));
        Assert.All(typeof(EngineSpec).GetProperties(), property =>
        {
            EngineSpec engine = new();
            property.SetValue(
                engine,
                property.GetCustomAttribute<FromFlagAttribute>()?.Flag.Words.LastOrDefault() is { } word
                    ? word
                    : property.Name == nameof(EngineSpec.OverrideGenerationConfig) ? "{}" : Sample(property.PropertyType));
            var with = Arguments(Build(Given.Deployment(change: s => s.Engine = engine)));
            var flag = property.Name switch
            {
                nameof(EngineSpec.Speculative) => "--speculative-model",
                nameof(EngineSpec.ExtraArgs) => "--sample",
                _ => "--"
                    + string.Concat(
                        property.Name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString())),
            };
            Assert.NotEqual(without, with);
            Assert.Contains(" " + flag, with, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Engine_values_are_written_as_the_worker_reads_them()
    {
        var arguments = Arguments(Build(Given.Deployment(change: s =>
        {
            s.Model.ServedName = "served";
            s.Engine = new EngineSpec
            {
                Dtype = "bfloat16",
                GpuMemoryUtilization = 0.85,
                EnablePrefixCaching = false,
                EnableChunkedPrefill = true,
                Speculative = new SpeculativeSpec { Model = "file:///data/draft", NumTokens = 4 },
                ExtraArgs = ["--seed", "7"],
            };
        })));
        Assert.EndsWith(
            "--served-model-name served --tensor-parallel-size 1 --shutdown-timeout 45 --dtype bfloat16 --enable-prefix-caching=false "
            + "--enable-chunked-prefill=true "
            + "--gpu-memory-utilization 0.85 --speculative-model /draft-models/draft --num-speculative-tokens 4 --seed 7",
            arguments,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Gpus_are_named_by_index_where_any_uuid_is_unknown_or_malformed()
    {
        List<GpuDevice> gpus = [.. Given.Gpus(2).Select(g => g.Index == 1 ? g with { Uuid = "GPU-XX" } : g)];
        var pod = Build(Given.Deployment(change: s => s.TensorParallelSize = 2), new GpuPlacement("n1", gpus, 8, UuidsAreUnique: true));
        Assert.Equal("0,1", Value(pod, "ROCR_VISIBLE_DEVICES"));
        Assert.Null(pod["metadata"]!["annotations"]![ApiNames.GpuUuidsAnnotation]);
    }

    [Fact]
    public void Gpus_are_named_by_index_where_partitions_share_a_uuid() =>
        Assert.Equal(
            "0", Value(Build(Given.Deployment(), new GpuPlacement("n1", Given.Gpus(1), 8, UuidsAreUnique: false)), "ROCR_VISIBLE_DEVICES"));

    [Fact]
    public void Behind_amds_runtime_indices_count_only_the_pods_own_gpus()
    {
        GpuPlacement placement = new("n1", [new GpuDevice { Index = 5 }, new GpuDevice { Index = 6 }], 8, UuidsAreUnique: true);
        var pod = Build(Given.Deployment(change: s => s.Gpu.DeviceAccess = DeviceAccess.RuntimeClass), placement);
        Assert.Equal("amd", pod["spec"]!["runtimeClassName"]!.ToString());
        Assert.Equal("5,6", Value(pod, "AMD_VISIBLE_DEVICES"));
        Assert.Equal("0,1", Value(pod, "ROCR_VISIBLE_DEVICES"));
    }

    [Fact]
    public void With_our_own_plugin_the_pod_asks_the_kubelet_for_the_very_gpus_that_are_booked()
    {
        var plugin = Given.Deployment(change: s =>
        {
            s.Gpu.DeviceAccess = DeviceAccess.Plugin;
            s.PodTemplate = JsonNode.Parse(
                """{"spec":{"containers":[{"name":"worker","resources":{"limits":{"memory":"64Gi"}}}]}}""")!.AsObject();
        });
        var pod = Build(plugin, new GpuPlacement("n1", [.. Given.Gpus(8).Skip(4).Take(2)], 8, UuidsAreUnique: true));
        var container = WorkerTemplate.WorkerContainer(pod)!;
        Assert.Equal(
            """{"memory":"64Gi","serving.cluster.sh/gpu-0000000000000005":"1","serving.cluster.sh/gpu-0000000000000006":"1"}""",
            container["resources"]!["limits"]!.ToJsonString());
        Assert.Equal(
            """{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}""", container["securityContext"]!.ToJsonString());
        Assert.Equal("GPU-0000000000000005,GPU-0000000000000006", Value(pod, "ROCR_VISIBLE_DEVICES"));
        Assert.Null(Value(pod, "AMD_VISIBLE_DEVICES"));
        Assert.Equal("4,5", pod["metadata"]!["annotations"]![ApiNames.GpuIndicesAnnotation]!.ToString());
        Assert.Null(pod["spec"]!["runtimeClassName"]);
    }

    [Fact]
    public void Where_uuids_tell_nothing_the_resource_is_named_by_index_and_the_pod_counts_its_own_gpus()
    {
        var pod = Build(
            Given.Deployment(change: s => s.Gpu.DeviceAccess = DeviceAccess.Plugin),
            new GpuPlacement("n1", [.. Given.Gpus(8).Skip(4).Take(2)], 8, UuidsAreUnique: false));
        Assert.Equal(
            """{"serving.cluster.sh/gpu-index-4":"1","serving.cluster.sh/gpu-index-5":"1"}""",
            WorkerTemplate.WorkerContainer(pod)!["resources"]!["limits"]!.ToJsonString());
        Assert.Equal("0,1", Value(pod, "ROCR_VISIBLE_DEVICES"));
    }

    [Fact]
    public void With_a_resource_claim_the_pod_refers_to_the_template_of_its_degree()
    {
        var deployment = Given.Deployment(change: s =>
        {
            s.TensorParallelSize = 4;
            s.Gpu.Allocation = GpuAllocation.ResourceClaim;
        });
        var pod = Build(deployment, placement: null);
        Assert.Equal(
            """[{"name":"gpus","resourceClaimTemplateName":"haiku-gpus-4"}]""", pod["spec"]!["resourceClaims"]!.ToJsonString());
        Assert.Equal("""{"claims":[{"name":"gpus"}]}""", WorkerTemplate.WorkerContainer(pod)!["resources"]!.ToJsonString());
        Assert.Equal("0,1,2,3", Value(pod, "ROCR_VISIBLE_DEVICES"));
        Assert.Null(pod["spec"]!["affinity"]);

        var template = GpuClaim.Manifest(deployment);
        Assert.Equal(
            ("resource.k8s.io/v1", "ResourceClaimTemplate", "haiku-gpus-4"),
            ((string)template["apiVersion"]!, (string)template["kind"]!, (string)template["metadata"]!["name"]!));
        Assert.Equal(
            """{"devices":{"requests":[{"name":"gpus","exactly":{"deviceClassName":"gpu.amd.com","allocationMode":"ExactCount","count":4}}]}}""",
            template["spec"]!["spec"]!.ToJsonString());
        Assert.Equal("uid-of-haiku", (string)template["metadata"]!["ownerReferences"]![0]!["uid"]!);
    }

    [Fact]
    public void With_a_device_plugin_the_kubelet_chooses()
    {
        var pod = Build(
            Given.Deployment(change: s =>
            {
                s.TensorParallelSize = 4;
                s.Gpu.Allocation = GpuAllocation.DevicePlugin;
                s.Gpu.NodeSelector = new() { ["amd.com/gpu.device-id"] = "74a1" };
            }),
            placement: null);
        Assert.Equal("""{"limits":{"amd.com/gpu":"4"}}""", WorkerTemplate.WorkerContainer(pod)!["resources"]!.ToJsonString());
        Assert.Equal("0,1,2,3", Value(pod, "ROCR_VISIBLE_DEVICES"));
        Assert.Equal("""{"amd.com/gpu.device-id":"74a1"}""", pod["spec"]!["nodeSelector"]!.ToJsonString());
        Assert.Null(pod["spec"]!["affinity"]);
    }

    [Theory]
    [InlineData(8, 8, "74a1", 192, "112")]
    [InlineData(8, 8, "74A5", 256, "112")]
    [InlineData(8, 8, "75a0", 288, null)]
    [InlineData(4, 8, "74a1", 192, null)]
    [InlineData(8, 64, "74a1", 24, null)]
    [InlineData(8, 8, "74a1", 24, null)]
    public void Rccl_gets_112_channels_only_on_a_full_unpartitioned_board(
        int gpus, int onNode, string deviceId, int gigabytes, string? channels)
    {
        List<GpuDevice> devices = [.. Given.Gpus(gpus, deviceId: deviceId).Select(g => g with { VramBytes = (long)gigabytes << 30 })];
        var pod = Build(
            Given.Deployment(change: s => s.TensorParallelSize = gpus), new GpuPlacement("n1", devices, onNode, UuidsAreUnique: true));
        Assert.Equal(channels, Value(pod, "NCCL_MIN_NCHANNELS"));
    }

    [Theory]
    [InlineData("gfx942", "SPX", null, 64, "112")] // What the driver says goes before what id and memory suggest.
    [InlineData("gfx942", "CPX", "74a1", 192, null)]
    [InlineData("gfx950", "SPX", "74a1", 192, null)]
    [InlineData("gfx942", null, null, 192, "112")]
    [InlineData(null, "SPX", "74a1", 64, "112")]
    public void Rccl_channels_follow_what_the_driver_says_of_the_gpus(
        string? gfx, string? partition, string? deviceId, int gigabytes, string? channels)
    {
        List<GpuDevice> devices = [
            .. Given.Gpus(8, deviceId: deviceId)
                .Select(g => g with { Gfx = gfx, ComputePartition = partition, VramBytes = (long)gigabytes << 30 })];
        var pod = Build(Given.Deployment(change: s => s.TensorParallelSize = 8), new GpuPlacement("n1", devices, 8, UuidsAreUnique: true));
        Assert.Equal(channels, Value(pod, "NCCL_MIN_NCHANNELS"));
    }

    [Fact]
    public void Rccl_channels_can_be_set_by_number_and_the_users_environment_comes_last()
    {
        var pod = Build(
            Given.Deployment(change: s =>
            {
                s.TensorParallelSize = 8;
                s.Tuning.NcclMinNChannels = 32;
                s.Model.Source = "hf://org/name";
                s.Model.TokenSecretRef = new SecretKeyRef { Name = "hf", Key = "token" };
                s.Tuning.Env = [
                    new JsonObject { ["name"] = "POD_NAME", ["value"] = "mine" }, new JsonObject { ["name"] = "B", ["value"] = "2" }];
            }),
            new GpuPlacement("n1", Given.Gpus(8), 8, UuidsAreUnique: true));
        Assert.Equal(["ROCR_VISIBLE_DEVICES", "NCCL_MIN_NCHANNELS", "POD_NAMESPACE", "HF_HOME", "HF_TOKEN", "POD_NAME", "B"], Names(pod));
        Assert.Equal("32", Value(pod, "NCCL_MIN_NCHANNELS"));
        Assert.Equal("mine", Value(pod, "POD_NAME"));
    }

    [Fact]
    public void Several_gpus_get_shared_memory()
    {
        var pod = Build(
            Given.Deployment(change: s => s.TensorParallelSize = 2), new GpuPlacement("n1", Given.Gpus(2), 8, UuidsAreUnique: true));
        Assert.Contains(
            """{"name":"shm","emptyDir":{"medium":"Memory","sizeLimit":"2Gi"}}""", pod["spec"]!["volumes"]!.ToJsonString(),
            StringComparison.Ordinal);
        Assert.Contains("\"/dev/shm\"", WorkerTemplate.WorkerContainer(pod)!["volumeMounts"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_hub_model_is_cached_and_a_claim_is_mounted_at_its_path()
    {
        var hub = Build(Given.Deployment(change: s => s.Model.Source = "hf://org/name@main"));
        Assert.StartsWith("serve --model hf://org/name@main ", Arguments(hub), StringComparison.Ordinal);
        Assert.Equal("/var/cache/huggingface", Value(hub, "HF_HOME"));
        Assert.Equal("""[{"name":"hub-cache","emptyDir":{}}]""", hub["spec"]!["volumes"]!.ToJsonString());

        var claim = Build(Given.Deployment(change: s => s.Model.Source = "pvc://models/llama/70b"));
        Assert.StartsWith("serve --model /models/70b ", Arguments(claim), StringComparison.Ordinal);
        Assert.Equal(
            """[{"name":"model","mountPath":"/models/70b","readOnly":true,"subPath":"llama/70b"}]""",
            WorkerTemplate.WorkerContainer(claim)!["volumeMounts"]!.ToJsonString());
        Assert.Null(Value(claim, "HF_HOME"));
    }

    [Theory]
    [InlineData("file:///var/cache/hub", """{"name":"hub-cache","hostPath":{"path":"/var/cache/hub","type":"Directory"}}""", null)]
    [InlineData("pvc://cache", """{"name":"hub-cache","persistentVolumeClaim":{"claimName":"cache"}}""", null)]
    [InlineData("pvc://cache/team/hub", """{"name":"hub-cache","persistentVolumeClaim":{"claimName":"cache"}}""", "team/hub")]
    public void The_hub_cache_outlives_its_pod_where_the_deployment_says_so(string cache, string volume, string? subPath)
    {
        var pod = Build(
            Given.Deployment(change: s => s.Model = new ModelSpec { Source = "hf://org/name", Cache = cache }),
            options: Given.Options with { HubCacheHostPath = "/of/the/operator" });
        Assert.Equal($"[{volume}]", pod["spec"]!["volumes"]!.ToJsonString());
        var mount = Assert.Single(WorkerTemplate.WorkerContainer(pod)!["volumeMounts"]!.AsArray())!;
        Assert.Equal(("/var/cache/huggingface", subPath), ((string?)mount["mountPath"], (string?)mount["subPath"]));
        Assert.Null(mount["readOnly"]);
    }

    [Fact]
    public void The_operators_options_reach_every_pod()
    {
        var pod = Build(
            Given.Deployment(change: s => s.Model.Source = "hf://org/name"),
            options: Given.Options with { HubCacheHostPath = "/var/hub", ImagePullSecrets = ["a", "b"], DeviceGroups = [39, 992] });
        Assert.Equal("""[{"name":"a"},{"name":"b"}]""", pod["spec"]!["imagePullSecrets"]!.ToJsonString());
        Assert.Equal("[39,992]", pod["spec"]!["securityContext"]!["supplementalGroups"]!.ToJsonString());
        Assert.Equal("/var/hub", pod["spec"]!["volumes"]![0]!["hostPath"]!["path"]!.ToString());
    }

    [Fact]
    public void The_grace_period_outlasts_the_hook_and_the_drain()
    {
        var pod = Build(Given.Deployment(change: s => s.DrainSeconds = 300));
        var hook = (int)WorkerTemplate.WorkerContainer(pod)!["lifecycle"]!["preStop"]!["sleep"]!["seconds"]!;
        Assert.Contains("--shutdown-timeout 300", Arguments(pod), StringComparison.Ordinal);
        Assert.True((int)pod["spec"]!["terminationGracePeriodSeconds"]! > hook + 300);
    }

    [Fact]
    public void A_pod_template_is_merged_and_keeps_the_pin()
    {
        var pod = Build(Given.Deployment(change: s => s.PodTemplate = JsonNode.Parse(
            """
            {
              "metadata": {"labels": {"team": "x"}, "annotations": {"a": "b"}},
              "spec": {
                "tolerations": [{"operator": "Exists"}],
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                  {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, {"matchExpressions": [{"key": "rack", "operator": "Exists"}]}]}}},
                "containers": [{"name": "worker", "resources": {"limits": {"memory": "64Gi"}}, "env": [{"name": "EXTRA", "value": "1"}]}, {"name": "sidecar", "image": "s"}]
              }
            }
            """)!.AsObject()));
        Assert.Equal("x", pod["metadata"]!["labels"]!["team"]!.ToString());
        Assert.Equal("haiku", pod["metadata"]!["labels"]![ApiNames.DeploymentLabel]!.ToString());
        Assert.Equal("b", pod["metadata"]!["annotations"]!["a"]!.ToString());
        Assert.Equal("n1", pod["metadata"]!["annotations"]![ApiNames.GpuNodeAnnotation]!.ToString());
        Assert.Equal("worker:test", WorkerTemplate.WorkerContainer(pod)!["image"]!.ToString());
        Assert.Equal("64Gi", WorkerTemplate.WorkerContainer(pod)!["resources"]!["limits"]!["memory"]!.ToString());
        Assert.Equal(["ROCR_VISIBLE_DEVICES", "POD_NAME", "POD_NAMESPACE", "EXTRA"], Names(pod));
        Assert.Equal(2, pod["spec"]!["containers"]!.AsArray().Count);
        var terms =
            pod["spec"]!["affinity"]!["nodeAffinity"]!["requiredDuringSchedulingIgnoredDuringExecution"]!["nodeSelectorTerms"]!.AsArray();
        Assert.All(terms, t => Assert.Equal("n1", t!["matchFields"]![0]!["values"]![0]!.ToString()));
    }

    [Theory]
    [InlineData("""{"spec":{"nodeName":"n9"}}""", "nodeName")]
    [InlineData("""{"spec":{"restartPolicy":"Never"}}""", "restartPolicy")]
    [InlineData(
        """{"spec":{"containers":[{"name":"worker","env":[{"name":"ROCR_VISIBLE_DEVICES","value":"0"}]}]}}""", "ROCR_VISIBLE_DEVICES")]
    [InlineData(
        """{"spec":{"containers":[{"name":"worker","env":[{"name":"HIP_VISIBLE_DEVICES","value":"0"}]}]}}""", "HIP_VISIBLE_DEVICES")]
    [InlineData("""{"spec":{"containers":[{"name":"worker","$patch":"delete"}]}}""", "no container 'worker'")]
    [InlineData("""{"spec":{"containers":[{"image":"x"}]}}""", "needs a name")]
    [InlineData("""{"spec":null}""", "no spec")]
    [InlineData("""{"metadata":{"labels":{"serving.cluster.sh/model-deployment":"other"}}}""", "the operator's own")]
    public void A_pod_template_that_would_break_the_worker_is_refused(string overlay, string message)
    {
        var deployment = Given.Deployment(change: s => s.PodTemplate = JsonNode.Parse(overlay)!.AsObject());
        Assert.Contains(message, Refusal(deployment), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_impossible_specs_are_refused_with_the_field_and_the_value()
    {
        Assert.Contains(
            "spec.model.source: 's3://x'", Refusal(Given.Deployment(change: s => s.Model.Source = "s3://x")), StringComparison.Ordinal);
        Assert.Contains(
            "CUDA_VISIBLE_DEVICES",
            Refusal(Given.Deployment(change: s => s.Tuning.Env = [new JsonObject { ["name"] = "CUDA_VISIBLE_DEVICES" }])),
            StringComparison.Ordinal);
        Assert.Contains("metadata.name: '9lives'", Refusal(Given.Deployment("9lives")), StringComparison.Ordinal);
        Assert.Contains("at most 52", Refusal(Given.Deployment(new string('a', 53))), StringComparison.Ordinal);
    }

    [Fact]
    public void No_pod_ever_gets_the_variables_that_fight_with_rocr() =>
        Assert.Empty(Names(Build(Given.Deployment(change: s => s.Gpu.DeviceAccess = DeviceAccess.RuntimeClass))).Intersect(NeverSet));

    [Fact]
    public void The_hash_is_stable_and_covers_all_but_node_gpus_and_name()
    {
        var deployment = Given.Deployment();
        var hash = WorkerTemplate.For(deployment, Given.Options).Hash;
        Assert.Equal(hash, WorkerTemplate.For(Given.Deployment(), Given.Options).Hash);
        deployment.Spec.Replicas = 5;
        deployment.Spec.Rollout.MaxSurge = 2;
        deployment.Spec.Gpu.RequireSameHive = false;
        deployment.Metadata.Generation = 9;
        Assert.Equal(hash, WorkerTemplate.For(deployment, Given.Options).Hash);

        Action<ModelDeploymentSpec>[] changes =
        [
            s => s.Model.Source = "file:///data/other",
            s => s.Model.ServedName = "other",
            s => s.TensorParallelSize = 2,
            s => s.Engine.MaxModelLen = 9,
            s => s.DrainSeconds = 9,
            s => s.Gpu.DeviceAccess = DeviceAccess.RuntimeClass,
            s => s.Gpu.DeviceAccess = DeviceAccess.Plugin,
            s => s.Gpu.Allocation = GpuAllocation.ResourceClaim,
            s => s.Gpu.NodeSelector = new() { ["a"] = "b" },
            s => s.Tuning.NcclMinNChannels = 8,
            s => s.PodTemplate = new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["a"] = "b" } } },
        ];
        Assert.All(changes, change => Assert.NotEqual(hash, WorkerTemplate.For(Given.Deployment(change: change), Given.Options).Hash));
        Assert.NotEqual(hash, WorkerTemplate.For(Given.Deployment(), Given.Options with { Image = "worker:next" }).Hash);
    }

    private static object Sample(Type type) =>
        type == typeof(string) ? "sample"
        : type == typeof(int?) ? 17
        : type == typeof(double?) ? 0.5
        : type == typeof(bool?) ? true
        : type == typeof(List<string>) ? new List<string> { "--sample" }
        : type == typeof(SpeculativeSpec) ? new SpeculativeSpec { Model = "file:///draft", NumTokens = 3 }
        : throw new NotSupportedException($"give {type} a sample and its field a flag");

    private static JsonObject Build(ModelDeployment deployment, WorkerOptions? options = null) =>
        Build(deployment, new GpuPlacement("n1", Given.Gpus(1), 8, UuidsAreUnique: true), options);

    private static JsonObject Build(ModelDeployment deployment, GpuPlacement? placement, WorkerOptions? options = null) =>
        WorkerPod.Build(
            WorkerTemplate.For(deployment, options ?? Given.Options), deployment.Spec, deployment.Metadata.Name + "-abcde", placement);

    private static string Refusal(ModelDeployment deployment) =>
        Assert.Throws<InvalidModelDeploymentException>(() => WorkerTemplate.For(deployment, Given.Options)).Message;

    private static string Arguments(JsonObject pod) =>
        string.Join(' ', WorkerTemplate.WorkerContainer(pod)!["args"]!.AsArray().Select(a => a!.ToString()));

    private static List<string> Names(JsonObject pod) =>
        [.. WorkerTemplate.WorkerContainer(pod)!["env"]!.AsArray().Select(e => e!["name"]!.ToString())];

    private static string? Value(JsonObject pod, string name) =>
        WorkerTemplate.WorkerContainer(pod)!["env"]!.AsArray().SingleOrDefault(e => e!["name"]!.ToString() == name)?["value"]?.ToString();
}
