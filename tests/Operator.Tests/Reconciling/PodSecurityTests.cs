using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Worker pods against the Pod Security Standards, rule by rule:
/// kubernetes.io/docs/concepts/security/pod-security-standards.</summary>
public sealed class PodSecurityTests
{
    private static readonly string[] RestrictedVolumes = [
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

    public static TheoryData<string, string> Restricted { get; } = new()
    {
        { "DevicePlugin", "hf://org/name" },
        { "DevicePlugin", "pvc://claim/path" },
        { "Plugin", "hf://org/name" },
        { "Plugin", "pvc://claim/path" },
        { "ResourceClaim", "hf://org/name" },
        { "RuntimeClass", "hf://org/name" },
        { "RuntimeClass", "pvc://claim/path" },
    };

    [Theory]
    [MemberData(nameof(Restricted))]
    public void A_pod_that_need_not_be_privileged_satisfies_the_restricted_profile(string access, string source) =>
        Assert.Empty(Violations(Build(access, source)));

    [Fact]
    public void A_privileged_pod_breaks_only_what_the_devices_cost() =>
        Assert.Equal(["privileged", "allowPrivilegeEscalation", "capabilities"], Violations(Build("Privileged", "hf://org/name")));

    [Fact]
    public void A_folder_of_the_node_costs_the_volume_rule() =>
        Assert.Equal(["volume model"], Violations(Build("DevicePlugin", "file:///data/m")));

    [Fact]
    public void The_worker_has_no_api_token_and_the_groups_of_the_devices()
    {
        var spec = Build("Privileged", "hf://org/name")["spec"]!;
        Assert.False((bool)spec["automountServiceAccountToken"]!);
        Assert.Equal("[44,109]", spec["securityContext"]!["supplementalGroups"]!.ToJsonString());
    }

    [Fact]
    public void The_check_itself_finds_every_violation()
    {
        var pod = JsonNode.Parse(
            """
            {"spec": {"hostNetwork": true, "hostPID": true, "hostIPC": true,
              "securityContext": {"runAsUser": 0, "sysctls": [{"name": "kernel.msgmax"}], "seccompProfile": {"type": "Unconfined"}},
              "volumes": [{"name": "h", "hostPath": {"path": "/"}}],
              "containers": [{"name": "worker", "ports": [{"hostPort": 1}],
                "securityContext": {"privileged": true, "procMount": "Unmasked", "capabilities": {"add": ["SYS_ADMIN"]}}}]}}
            """)!.AsObject();
        Assert.Equal(
            ["hostNetwork", "hostPID", "hostIPC", "volume h", "sysctls", "hostPort", "privileged", "procMount", "allowPrivilegeEscalation",
                "capabilities", "runAsNonRoot", "runAsUser", "seccompProfile"],
            Violations(pod));
    }

    private static JsonObject Build(string access, string source)
    {
        var deployment = Given.Deployment(change: s =>
        {
            s.Model.Source = source;
            s.TensorParallelSize = 2;
            s.Gpu.Allocation = Enum.TryParse<GpuAllocation>(access, out var allocation) ? allocation : GpuAllocation.Pinned;
            s.Gpu.DeviceAccess = Enum.TryParse<DeviceAccess>(access, out var given) ? given : DeviceAccess.Privileged;
        });
        var placement = deployment.Spec.Gpu.Allocation != GpuAllocation.Pinned
            ? null
            : new GpuPlacement("n1", Given.Gpus(2), 8, UuidsAreUnique: true);
        return WorkerPod.Build(WorkerTemplate.For(deployment, Given.Options), deployment.Spec, "p", placement);
    }

    private static List<string> Violations(JsonObject pod)
    {
        List<string> found = [];
        var spec = pod["spec"]!.AsObject();
        var security = spec["securityContext"];
        found.AddRange(((string[])["hostNetwork", "hostPID", "hostIPC"]).Where(field => (bool?)spec[field] == true));
        found.AddRange(
            (spec["volumes"]?.AsArray() ?? []).Where(v => v!.AsObject().Any(f => f.Key != "name" && !RestrictedVolumes.Contains(f.Key)))
                .Select(v => $"volume {v!["name"]}"));
        Check(security?["sysctls"] is null, "sysctls");
        foreach (var container in spec["containers"]!.AsArray().Concat(spec["initContainers"]?.AsArray() ?? []))
        {
            var own = container!["securityContext"];
            Check((container["ports"]?.AsArray() ?? []).All(p => ((int?)p!["hostPort"] ?? 0) == 0), "hostPort");
            Check((bool?)own?["privileged"] != true, "privileged");
            Check((string?)own?["procMount"] is null or "Default", "procMount");
            Check((bool?)own?["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation");
            Check(
                Texts(own?["capabilities"]?["drop"]).Contains("ALL")
                    && Texts(own?["capabilities"]?["add"]).All(c => c == "NET_BIND_SERVICE"), "capabilities");
            Check((bool?)(own?["runAsNonRoot"] ?? security?["runAsNonRoot"]) == true, "runAsNonRoot");
            Check((int?)(own?["runAsUser"] ?? security?["runAsUser"]) != 0, "runAsUser");
            Check((string?)((own?["seccompProfile"] ?? security?["seccompProfile"])?["type"]) is "RuntimeDefault" or "Localhost",
                "seccompProfile");
        }

        return found;

        void Check(bool holds, string rule)
        {
            if (!holds)
            {
                found.Add(rule);
            }
        }
    }

    private static IEnumerable<string> Texts(JsonNode? list) => list?.AsArray().Select(item => item!.ToString()) ?? [];
}
