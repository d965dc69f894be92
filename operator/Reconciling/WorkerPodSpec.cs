using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Reconciling;

/// <summary>The PodSpec of a deployment's workers before the user's podTemplate and before a node and GPUs are chosen.</summary>
internal static class WorkerPodSpec
{
    /// <summary>Seconds between the pod's leaving the services and SIGTERM, on which the worker refuses new requests: load
    /// balancers need that long to hear of it.</summary>
    public const int PreStopSeconds = 5;

    /// <summary>The volume that files from the hub are downloaded into.</summary>
    public const string HubCacheVolume = "hub-cache";

    private const string HubCachePath = "/var/cache/huggingface";
    private const int SharedGibibytesPerRank = 1;

    /// <summary>The user <c>worker</c> of the worker's image (Dockerfile.rocm).</summary>
    private const int WorkerUser = 10001;

    /// <exception cref="InvalidModelDeploymentException">A model source or an environment variable cannot be used.</exception>
    public static JsonObject For(ModelDeployment deployment, WorkerOptions options)
    {
        var spec = deployment.Spec;
        RequirePolicy(spec, options.Policy);
        var model = Model(spec.Model.Source);
        var draft = spec.Engine.Speculative is { Model: not WorkerFlags.Ngram } speculative ? Draft(speculative.Model) : null;
        var usesHubCache = model.UsesHubCache || draft?.UsesHubCache == true;

        JsonArray volumes = [];
        JsonArray mounts = [];
        AddVolume(model.Volume, model.Mount);
        AddVolume(draft?.Volume, draft?.Mount);
        if (usesHubCache)
        {
            (var volume, var mount) = ModelVolume.HubCache(spec.Model.Cache, options.HubCacheHostPath, HubCachePath);
            AddVolume(volume, mount);
        }

        if (spec.TensorParallelSize.Degree > 1)
        {
            // Ranks exchange data through shared memory; the 64 MiB a container gets by default are too few. Only what is used
            // counts as memory of the pod.
            AddVolume(
                new JsonObject
                {
                    ["name"] = "shm",
                    ["emptyDir"] = new JsonObject
                    {
                        ["medium"] = "Memory",
                        ["sizeLimit"] = $"{spec.TensorParallelSize.Degree * SharedGibibytesPerRank}Gi"
                    }
                },
                new JsonObject { ["name"] = "shm", ["mountPath"] = "/dev/shm" });
        }

        JsonObject container = new()
        {
            ["name"] = WorkerTemplate.ContainerName,
            ["image"] = options.Image,
            ["args"] = EngineArguments.For(deployment, model.Argument, draft?.Argument ?? spec.Engine.Speculative?.Model),
            ["ports"] = new JsonArray(Port("http", WorkerFlags.DefaultHttpPort), Port("grpc", WorkerFlags.DefaultGrpcPort)),
            ["env"] = Environment(deployment, usesHubCache, options),
            // Loading hundreds of gigabytes takes its time: an hour, looked at every second so that a small model is up at once.
            ["startupProbe"] = Probe("/ready", periodSeconds: 1, failureThreshold: 3600),
            ["readinessProbe"] = Probe("/ready", periodSeconds: 2, failureThreshold: 2),
            ["livenessProbe"] = Probe("/health", periodSeconds: 10, failureThreshold: 3),
            ["lifecycle"] = new JsonObject { ["preStop"] = new JsonObject { ["sleep"] = new JsonObject { ["seconds"] = PreStopSeconds } } },
            // A crash's last words reach the status of the pod, and from there the Degraded condition.
            ["terminationMessagePolicy"] = "FallbackToLogsOnError",
            ["volumeMounts"] = mounts,
        };
        JsonObject pod = new()
        {
            ["restartPolicy"] = "Always",
            ["serviceAccountName"] = WorkerAccount.NameOf(deployment.Metadata.Name),
            ["automountServiceAccountToken"] = false,
            ["securityContext"] = PodSecurity(options),
            ["containers"] = new JsonArray(container),
            ["volumes"] = volumes,
        };
        if (spec.Gpu.NodeSelector is { Count: > 0 } selector)
        {
            pod["nodeSelector"] = WorkerTemplate.WithAll(null, selector);
        }

        if (options.ImagePullSecrets.Count > 0)
        {
            pod["imagePullSecrets"] = new JsonArray(
                [.. options.ImagePullSecrets.Select(name => (JsonNode)new JsonObject { ["name"] = name })]);
        }

        AddDeviceAccess(deployment, options, pod, container);
        return pod;

        void AddVolume(JsonObject? volume, JsonObject? mount)
        {
            if (volume is not null)
            {
                volumes.Add(volume);
                mounts.Add(mount);
            }
        }
    }

    /// <summary>How the model gets into the pod.</summary>
    /// <exception cref="InvalidModelDeploymentException">The source is malformed.</exception>
    public static ModelVolume Model(string source) => ModelVolume.For("spec.model.source", source, "model", "/models");

    /// <summary>The same of the model that drafts.</summary>
    /// <exception cref="InvalidModelDeploymentException">The source is malformed.</exception>
    public static ModelVolume Draft(string source) =>
        ModelVolume.For("spec.engine.speculative.model", source, "draft-model", "/draft-models");

    /// <exception cref="InvalidModelDeploymentException">A folder of the node or a variable that the operator's administrator does not
    /// allow.</exception>
    private static void RequirePolicy(ModelDeploymentSpec spec, PodPolicy policy)
    {
        List<ValidationError?> errors =
        [
            policy.CheckSource("spec.model.source", spec.Model.Source),
            policy.CheckSource("spec.model.cache", spec.Model.Cache),
            policy.CheckSource("spec.engine.speculative.model", spec.Engine.Speculative?.Model),
        ];
        if (!policy.Allows(PodPrivilege.WorkerCommand))
        {
            errors.AddRange((spec.Tuning.Env ?? []).Select((variable, i) => LoaderVariables.IsOne(variable.Text("name"))
                ? PodPolicy.Missing($"spec.tuning.env[{i}].name ({variable.Text("name")})", PodPrivilege.WorkerCommand)
                : null));
        }

        if (errors.Exists(error => error is not null))
        {
            throw new InvalidModelDeploymentException(string.Join("; ", errors.Where(error => error is not null)));
        }
    }

    /// <summary>What the <c>restricted</c> Pod Security Standard asks of a pod, and the groups that may open GPUs.</summary>
    private static JsonObject PodSecurity(WorkerOptions options) => new()
    {
        ["runAsNonRoot"] = true,
        ["runAsUser"] = WorkerUser,
        ["runAsGroup"] = WorkerUser,
        ["fsGroup"] = WorkerUser,
        ["fsGroupChangePolicy"] = "OnRootMismatch",
        ["supplementalGroups"] = new JsonArray([.. options.DeviceGroups.Select(group => (JsonNode)group)]),
        ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },
    };

    private static void AddDeviceAccess(ModelDeployment deployment, WorkerOptions options, JsonObject pod, JsonObject container)
    {
        var spec = deployment.Spec;

        // A plain hostPath mount of a device node would not open the container's device cgroup: pinned without a runtime or a
        // kubelet that does, the container has to be privileged.
        container["securityContext"] = spec.Gpu is { Allocation: GpuAllocation.Pinned, DeviceAccess: DeviceAccess.Privileged }
            ? new JsonObject { ["privileged"] = true }
            : new JsonObject
            {
                ["allowPrivilegeEscalation"] = false,
                ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") }
            };
        if (spec.Gpu.Allocation == GpuAllocation.ResourceClaim)
        {
            pod["resourceClaims"] = new JsonArray(
                new JsonObject { ["name"] = GpuClaim.Name, ["resourceClaimTemplateName"] = GpuClaim.TemplateNameOf(deployment) });
            container["resources"] = new JsonObject { ["claims"] = new JsonArray(new JsonObject { ["name"] = GpuClaim.Name }) };
        }
        else if (spec.Gpu.Allocation == GpuAllocation.DevicePlugin)
        {
            container["resources"] = new JsonObject
            {
                ["limits"] = new JsonObject
                {
                    [spec.Gpu.ResourceName] = spec.TensorParallelSize.Degree.ToString(CultureInfo.InvariantCulture)
                },
            };
        }
        else if (spec.Gpu.DeviceAccess == DeviceAccess.RuntimeClass)
        {
            pod["runtimeClassName"] = options.RuntimeClassName;
        }
    }

    private static JsonArray Environment(ModelDeployment deployment, bool usesHubCache, WorkerOptions options)
    {
        var spec = deployment.Spec;
        List<JsonObject> env = [];
        if (spec.Gpu.Allocation != GpuAllocation.Pinned)
        {
            env.Add(Variable("ROCR_VISIBLE_DEVICES", string.Join(',', Enumerable.Range(0, spec.TensorParallelSize.Degree))));
        }

        if (spec.Tuning.NcclMinNChannels?.ToString() is { } channels && channels != "Auto")
        {
            env.Add(Variable("NCCL_MIN_NCHANNELS", channels));
        }

        env.Add(FieldVariable("POD_NAME", "metadata.name"));
        env.Add(FieldVariable("POD_NAMESPACE", "metadata.namespace"));
        if (usesHubCache)
        {
            env.Add(Variable("HF_HOME", HubCachePath));
        }

        if (spec.Model.TokenSecretRef is { } token)
        {
            env.Add(new JsonObject
            {
                ["name"] = "HF_TOKEN",
                ["valueFrom"] = new JsonObject { ["secretKeyRef"] = new JsonObject { ["name"] = token.Name, ["key"] = token.Key } },
            });
        }

        if (options.GatewayMasterKey is not null)
        {
            env.Add(GatewaySecret.Variable(deployment.Metadata.Name));
        }

        foreach (var item in spec.Tuning.Env ?? [])
        {
            var name = (item as JsonObject)?["name"]?.ToString()
                ?? throw new InvalidModelDeploymentException($"spec.tuning.env: '{item?.ToJsonString()}' has no name");
            if (WorkerTemplate.IsDeviceVariable(name))
            {
                throw new InvalidModelDeploymentException(
                    $"spec.tuning.env: '{name}' decides which GPUs the worker sees, which is the operator's part");
            }

            env.RemoveAll(e => e["name"]!.ToString() == name);
            env.Add(item!.DeepClone().AsObject());
        }

        return new JsonArray([.. env]);
    }

    public static JsonObject Variable(string name, string value) => new() { ["name"] = name, ["value"] = value };

    private static JsonObject FieldVariable(string name, string path) => new()
    {
        ["name"] = name,
        ["valueFrom"] = new JsonObject { ["fieldRef"] = new JsonObject { ["fieldPath"] = path } },
    };

    private static JsonObject Port(string name, int port) => new() { ["name"] = name, ["containerPort"] = port, ["protocol"] = "TCP" };

    private static JsonObject Probe(string path, int periodSeconds, int failureThreshold) => new()
    {
        ["httpGet"] = new JsonObject { ["path"] = path, ["port"] = "http" },
        ["periodSeconds"] = periodSeconds,
        ["timeoutSeconds"] = 5,
        ["failureThreshold"] = failureThreshold,
    };
}
