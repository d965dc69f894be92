using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Reconciling;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Tests.Api;

/// <summary>What whoever may create a ModelDeployment gets, and what only with a privilege that the administrator gives.</summary>
public sealed class PodPolicyTests
{
    public static TheoryData<string> Ordinary { get; } =
    [
        "{metadata: {labels: {team: a}, annotations: {prometheus.io/scrape: 'true'}}}",
        "{spec: {tolerations: [{operator: Exists}], priorityClassName: high, nodeSelector: {zone: a}, schedulerName: mine}}",
        "{spec: {affinity: {podAntiAffinity: {}}, topologySpreadConstraints: [{topologyKey: zone, maxSkew: 1}]}}",
        "{spec: {hostNetwork: false, hostPID: false, hostIPC: false, shareProcessNamespace: false, hostUsers: false}}",
        "{spec: {dnsPolicy: Default, hostAliases: [{ip: 10.0.0.1, hostnames: [a]}], imagePullSecrets: [{name: registry}]}}",
        "{spec: {volumes: [{name: d, persistentVolumeClaim: {claimName: c}}], containers: [{name: worker, volumeMounts: [{name: d, mountPath: /data, subPath: x}]}]}}",
        "{spec: {volumes: [{name: c, configMap: {name: c}}, {name: s, secret: {secretName: s}}, {name: e, emptyDir: {}}, {name: x, ephemeral: {}}]}}",
        "{spec: {volumes: [{name: p, projected: {sources: [{secret: {name: s}}, {configMap: {name: c}}, {downwardAPI: {}}]}}]}}",
        "{spec: {volumes: [{name: model, persistentVolumeClaim: {claimName: c}}]}}",
        "{spec: {containers: [{name: worker, env: [{name: HF_HUB_OFFLINE, value: '1'}, {name: T, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]}}",
        "{spec: {containers: [{name: worker, env: [{name: CLUSTER_API_KEY, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]}}",
        "{spec: {containers: [{name: worker, resources: {limits: {memory: 1Gi}}, readinessProbe: {periodSeconds: 9}, imagePullPolicy: Always}]}}",
        "{spec: {containers: [{name: worker, volumeMounts: [{name: e, mountPath: /etc/ssl/certs}], lifecycle: {preStop: {sleep: {seconds: 9}}}}]}}",
        "{spec: {containers: [{name: worker}, {name: log, image: i, command: [sh], args: [x], env: [{name: LD_PRELOAD, value: x}], envFrom: [{configMapRef: {name: c}}]}]}}",
        "{spec: {containers: [{name: worker}, {name: log, image: i, securityContext: {allowPrivilegeEscalation: false, runAsUser: 7, capabilities: {drop: [ALL]}}}]}}",
        "{spec: {initContainers: [{name: warm, image: i, restartPolicy: Always, lifecycle: {preStop: {exec: {command: [x]}}}, ports: [{containerPort: 9}]}]}}",
        "{spec: {securityContext: {runAsUser: 1234, fsGroup: 5, runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}}}",
        "{spec: {containers: [{name: worker, securityContext: {readOnlyRootFilesystem: true, privileged: false}}]}}",
        "{spec: {automountServiceAccountToken: false}}",
    ];

    public static TheoryData<string, string, string> Privileged { get; } = new()
    {
        { "{spec: {hostNetwork: true}}", "spec.hostNetwork", "hostNetwork" },
        { "{spec: {hostPID: true}}", "spec.hostPID", "hostPID" },
        { "{spec: {hostIPC: true}}", "spec.hostIPC", "hostIPC" },
        { "{spec: {shareProcessNamespace: true}}", "spec.shareProcessNamespace", "shareProcessNamespace" },
        { "{spec: {serviceAccountName: cluster-operator}}", "spec.serviceAccountName", "serviceAccount" },
        { "{spec: {serviceAccountName: null}}", "spec.serviceAccountName", "serviceAccount" },
        { "{spec: {serviceAccount: cluster-operator}}", "spec.serviceAccount", "serviceAccount" },
        { "{spec: {automountServiceAccountToken: true}}", "spec.automountServiceAccountToken", "serviceAccount" },
        { "{spec: {automountServiceAccountToken: null}}", "spec.automountServiceAccountToken", "serviceAccount" },
        {
            "{spec: {volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: t}}]}}]}}",
            "spec.volumes[t].projected.sources[].serviceAccountToken", "serviceAccount"
        },
        { "{spec: {runtimeClassName: kata}}", "spec.runtimeClassName", "runtimeClass" },
        { "{spec: {resourceClaims: [{name: g}]}}", "spec.resourceClaims", "resourceClaims" },
        {
            "{spec: {containers: [{name: worker, resources: {claims: [{name: g}]}}]}}",
            "spec.containers[worker].resources.claims", "resourceClaims"
        },
        { "{spec: {volumes: [{name: root, hostPath: {path: /}}]}}", "spec.volumes[root].hostPath", "hostPath" },
        { "{spec: {volumes: [{name: model, hostPath: {path: /etc}}]}}", "spec.volumes[model].hostPath", "hostPath" },
        { "{spec: {volumes: [{name: c, csi: {driver: d}}]}}", "spec.volumes[c].csi", "csi" },
        {
            "{spec: {containers: [{name: worker}, {name: s, volumeMounts: [{name: model, mountPath: /m}]}]}}",
            "spec.containers[s].volumeMounts[/m]", "hostPath"
        },
        {
            "{spec: {containers: [{name: worker}, {name: s, volumeMounts: [{name: e, mountPath: /m, mountPropagation: Bidirectional}]}]}}",
            "spec.containers[s].volumeMounts[/m].mountPropagation", "hostPath"
        },
        {
            "{spec: {containers: [{name: worker}, {name: s, volumeDevices: [{name: e, devicePath: /dev/x}]}]}}",
            "spec.containers[s].volumeDevices", "volumeDevices"
        },
        {
            "{spec: {containers: [{name: worker}, {name: s, ports: [{containerPort: 1, hostPort: 1}]}]}}",
            "spec.containers[s].ports[1].hostPort", "hostNetwork"
        },
        {
            "{spec: {containers: [{name: worker, livenessProbe: {httpGet: {path: /, port: 1, host: 10.0.0.1}}}]}}",
            "spec.containers[worker].livenessProbe.httpGet.host", "hostNetwork"
        },
        {
            "{spec: {initContainers: [{name: i, lifecycle: {postStart: {tcpSocket: {port: 1, host: a}}}}]}}",
            "spec.initContainers[i].lifecycle.postStart.tcpSocket.host", "hostNetwork"
        },
        { "{spec: {containers: [{name: worker, image: evil}]}}", "spec.containers[worker].image", "workerCommand" },
        { "{spec: {containers: [{name: worker, command: [sh]}]}}", "spec.containers[worker].command", "workerCommand" },
        { "{spec: {containers: [{name: worker, workingDir: /data}]}}", "spec.containers[worker].workingDir", "workerCommand" },
        { "{spec: {containers: [{name: worker, tty: true}]}}", "spec.containers[worker].tty", "workerCommand" },
        {
            "{spec: {containers: [{name: worker, lifecycle: {preStop: {exec: {command: [x]}}}}]}}",
            "spec.containers[worker].lifecycle.preStop.exec", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, livenessProbe: {exec: {command: [x]}}}]}}",
            "spec.containers[worker].livenessProbe.exec", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, env: [{name: LD_PRELOAD, value: /data/x.so}]}]}}",
            "spec.containers[worker].env[LD_PRELOAD]", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, env: [{name: DOTNET_STARTUP_HOOKS, value: x}]}]}}",
            "spec.containers[worker].env[DOTNET_STARTUP_HOOKS]", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, env: [{name: HSA_TOOLS_LIB, value: x}]}]}}",
            "spec.containers[worker].env[HSA_TOOLS_LIB]", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, env: [{name: NCCL_NET_PLUGIN, value: x}]}]}}",
            "spec.containers[worker].env[NCCL_NET_PLUGIN]", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, env: [{name: CLUSTER_KERNEL_CACHE, value: x}]}]}}",
            "spec.containers[worker].env[CLUSTER_KERNEL_CACHE]", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, envFrom: [{configMapRef: {name: c}}]}]}}",
            "spec.containers[worker].envFrom", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, volumeMounts: [{name: e, mountPath: /opt/cluster-worker}]}]}}",
            "spec.containers[worker].volumeMounts[/opt/cluster-worker].mountPath", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, volumeMounts: [{name: e, mountPath: /data/../usr}]}]}}",
            "spec.containers[worker].volumeMounts[/data/../usr].mountPath", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, volumeMounts: [{name: e, mountPath: //usr}]}]}}",
            "spec.containers[worker].volumeMounts[//usr].mountPath", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, volumeMounts: [{name: e, mountPath: /}]}]}}",
            "spec.containers[worker].volumeMounts[/].mountPath", "workerCommand"
        },
        {
            "{spec: {containers: [{name: worker, volumeMounts: [{name: e, mountPath: /etc/ld.so.preload}]}]}}",
            "spec.containers[worker].volumeMounts[/etc/ld.so.preload].mountPath", "workerCommand"
        },
        { "{spec: {securityContext: {runAsUser: 0}}}", "spec.securityContext.runAsUser", "securityContext" },
        { "{spec: {securityContext: {runAsNonRoot: null}}}", "spec.securityContext.runAsNonRoot", "securityContext" },
        { "{spec: {securityContext: null}}", "spec.securityContext.runAsNonRoot", "securityContext" },
        { "{spec: {securityContext: {$patch: replace, runAsUser: 7}}}", "spec.securityContext.runAsNonRoot", "securityContext" },
        { "{spec: {securityContext: {supplementalGroups: [0]}}}", "spec.securityContext.supplementalGroups", "securityContext" },
        { "{spec: {securityContext: {seccompProfile: {type: Unconfined}}}}", "spec.securityContext.seccompProfile", "securityContext" },
        { "{spec: {securityContext: {sysctls: [{name: kernel.x, value: '1'}]}}}", "spec.securityContext.sysctls", "securityContext" },
        {
            "{spec: {containers: [{name: worker}, {name: s, securityContext: {privileged: true}}]}}",
            "spec.containers[s].securityContext.privileged", "securityContext"
        },
        {
            "{spec: {containers: [{name: worker}, {name: s, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}}",
            "spec.containers[s].securityContext.capabilities.add", "securityContext"
        },
        {
            "{spec: {initContainers: [{name: s, securityContext: {runAsNonRoot: false}}]}}",
            "spec.initContainers[s].securityContext.runAsNonRoot", "securityContext"
        },
        {
            "{spec: {containers: [{name: worker}, {name: s, securityContext: {procMount: Unmasked}}]}}",
            "spec.containers[s].securityContext.procMount", "securityContext"
        },
        { "{metadata: {annotations: {cdi.k8s.io/x: 'amd.com/gpu=all'}}}", "metadata.annotations[cdi.k8s.io/x]", "runtimeAnnotations" },
        {
            "{metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/worker: unconfined}}}",
            "metadata.annotations[container.apparmor.security.beta.kubernetes.io/worker]", "runtimeAnnotations"
        },
        {
            "{metadata: {annotations: {IO.Kubernetes.CRI-O.Devices: /dev/sda}}}",
            "metadata.annotations[IO.Kubernetes.CRI-O.Devices]", "runtimeAnnotations"
        },
    };

    public static TheoryData<string, string> Impossible { get; } = new()
    {
        { "{spec: {ephemeralContainers: [{name: x, image: i}]}}", "spec.ephemeralContainers" },
        { "{spec: {HostNetwork: true}}", "spec.HostNetwork" },
        { "{spec: {fieldOfNextYear: 1}}", "spec.fieldOfNextYear" },
        { "{spec: {priority: 2000000000}}", "spec.priority" },
        { "{spec: {volumes: [{name: vol, nfs: {server: s, path: /}}]}}", "spec.volumes[vol].nfs" },
        { "{spec: {volumes: [{name: vol, gitRepo: {repository: r}}]}}", "spec.volumes[vol].gitRepo" },
        { "{spec: {containers: [{name: worker}, {name: s, fieldOfNextYear: 1}]}}", "spec.containers[s].fieldOfNextYear" },
        {
            "{spec: {containers: [{name: worker}, {name: s, volumeMounts: [{name: e, mountPath: /m, subPathExpr: $(X)}]}]}}",
            "spec.containers[s].volumeMounts[/m].subPathExpr"
        },
        { "{spec: {containers: [{name: worker, restartPolicy: Never}]}}", "spec.containers[worker].restartPolicy" },
        {
            "{spec: {containers: [{name: worker, env: [{name: X, valueFrom: {fileKeyRef: {}}}]}]}}",
            "spec.containers[worker].env[X].valueFrom.fileKeyRef"
        },
        { "{spec: {securityContext: 3}}", "spec.securityContext" },
        { "{spec: {volumes: {a: b}}}", "spec.volumes" },
        { "{spec: {initContainers: [{name: i, securityContext: [1]}]}}", "spec.initContainers[i].securityContext" },
    };

    [Theory, MemberData(nameof(Ordinary))]
    public void Everybody_may_set_what_harms_nobody_else(string overlay) => Assert.NotNull(Template(overlay, PodPolicy.None));

    [Theory, MemberData(nameof(Privileged))]
    public void What_reaches_beyond_the_pod_needs_its_privilege_and_no_other(string overlay, string field, string privilege)
    {
        var refusal = Refusal(overlay, PodPolicy.None);
        Assert.Contains($"spec.podTemplate.{field}: needs the privilege {privilege},", refusal, StringComparison.Ordinal);

        var others = PodPrivilege.All.Where(one => one.Name != privilege).ToList();
        Assert.Contains(
            $"needs the privilege {privilege},", Refusal(overlay, new PodPolicy { Allowed = others }), StringComparison.Ordinal);

        var own = PodPrivilege.All.Where(one => one.Name == privilege).ToList();
        Assert.NotNull(Template(overlay, new PodPolicy { Allowed = own }));
    }

    [Theory, MemberData(nameof(Impossible))]
    public void What_is_on_no_list_is_refused_whatever_is_allowed(string overlay, string field)
    {
        Assert.Contains($"spec.podTemplate.{field}: ", Refusal(overlay, PodPolicy.None), StringComparison.Ordinal);
        Assert.Contains(
            $"spec.podTemplate.{field}: ", Refusal(overlay, new PodPolicy { Allowed = PodPrivilege.All }), StringComparison.Ordinal);
    }

    [Fact]
    public void All_that_is_wrong_is_said_at_once()
    {
        var refusal = Refusal("{spec: {hostNetwork: true, hostPID: true, x: 1}}", PodPolicy.None);
        Assert.Contains("spec.hostNetwork: ", refusal, StringComparison.Ordinal);
        Assert.Contains("spec.hostPID: ", refusal, StringComparison.Ordinal);
        Assert.Contains("spec.podTemplate.spec.x: ", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/models", "file:///models/llama", true)]
    [InlineData("/models", "file:///models", true)]
    [InlineData("/models", "file:///models-of-others/llama", false)]
    [InlineData("/models", "file:///etc", false)]
    [InlineData("/models", "hf://org/name", true)]
    [InlineData("/models", "pvc://claim/etc", true)]
    [InlineData("/", "file:///etc", true)]
    [InlineData(null, "file:///models/llama", false)]
    public void Folders_of_nodes_are_used_below_the_given_ones_only(string? prefix, string source, bool allowed)
    {
        var options = Given.Options with { Policy = new PodPolicy { ModelPathPrefixes = prefix is null ? [] : [prefix] } };
        foreach (var (field, deployment) in new[]
        {
            ("spec.model.source", Given.Deployment(change: s => s.Model.Source = source)),
            ("spec.engine.speculative.model", Given.Deployment(change: s =>
            {
                s.Model.Source = "hf://org/name";
                s.Engine.Speculative = new SpeculativeSpec { Model = source, NumTokens = 3 };
            })),
            ("spec.model.cache", Given.Deployment(change: s => (s.Model.Source, s.Model.Cache) = ("hf://org/name", source))),
        })
        {
            if (allowed && !(field == "spec.model.cache" && source.StartsWith("hf:", StringComparison.Ordinal)))
            {
                Assert.NotNull(WorkerTemplate.For(deployment, options));
            }
            else if (!allowed)
            {
                var refusal = Assert.Throws<InvalidModelDeploymentException>(() => WorkerTemplate.For(deployment, options)).Message;
                Assert.StartsWith($"{field}: '{source}' is a folder of the node", refusal, StringComparison.Ordinal);
                Assert.Contains("--model-path-prefix", refusal, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void The_variables_of_tuning_are_held_to_the_same()
    {
        var deployment = Given.Deployment(change: s => s.Tuning.Env = [new JsonObject { ["name"] = "LD_PRELOAD", ["value"] = "x" }]);
        Assert.Contains(
            "spec.tuning.env[0].name (LD_PRELOAD): needs the privilege workerCommand",
            Assert.Throws<InvalidModelDeploymentException>(() => WorkerTemplate.For(deployment, Given.Options)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Workers_have_an_account_of_their_own_without_a_token()
    {
        var deployment = Given.Deployment();
        var pod = WorkerTemplate.For(deployment, Given.Options).Manifest["spec"]!;
        var account = WorkerAccount.Manifest(deployment);
        Assert.Equal("haiku-worker", (string?)pod["serviceAccountName"]);
        Assert.False((bool)pod["automountServiceAccountToken"]!);
        Assert.Equal("haiku-worker", (string?)account["metadata"]!["name"]);
        Assert.False((bool)account["automountServiceAccountToken"]!);
        Assert.False(account.ContainsKey("spec"));
    }

    [Fact]
    public void Chart_and_documents_name_every_privilege_and_what_it_grants()
    {
        var names = PodPrivilege.All.Select(privilege => privilege.Name).ToList();
        var chart = Path.Combine(RepositoryRoot.Path, "deploy", "helm", "cluster");
        var schema = JsonNode.Parse(File.ReadAllText(Path.Combine(chart, "values.schema.json")))!;
        var allow = schema["properties"]!["podTemplate"]!["properties"]!["allow"]!["items"]!["enum"]!.AsArray();
        Assert.Equal(names, allow.Select(name => (string)name!));

        var values = File.ReadAllText(Path.Combine(chart, "values.yaml"));
        var document = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "docs", "security.md"));
        Assert.All(PodPrivilege.All, privilege =>
        {
            Assert.Contains($"#   {privilege.Name}: {privilege.Grants}\n", values, StringComparison.Ordinal);
            Assert.Contains($"| `{privilege.Name}` | ", document, StringComparison.Ordinal);
            Assert.Contains($" | {privilege.Grants} |\n", document, StringComparison.Ordinal);
        });
    }

    private static WorkerTemplate Template(string overlay, PodPolicy policy) => WorkerTemplate.For(
        Given.Deployment(change: s => s.PodTemplate = YamlJson.ParseAll(overlay, "overlay", [])[0].Root!.AsObject()),
        Given.Options with { Policy = policy with { ModelPathPrefixes = ["/"] } });

    private static string Refusal(string overlay, PodPolicy policy) =>
        Assert.Throws<InvalidModelDeploymentException>(() => Template(overlay, policy)).Message;
}
