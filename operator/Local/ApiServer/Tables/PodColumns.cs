using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary><c>kubectl get pods</c>, after printPod of k8s.io/kubernetes/pkg/printers/internalversion.</summary>
internal static class PodColumns
{
    public static TableColumn[] All { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of(
            "Ready",
            pod => $"{pod.Items("status", "containerStatuses").Count(c => c.Flag("ready"))}/{pod.Items("spec", "containers").Count()}"),
        TableColumn.Of("Status", pod => Status(pod)),
        new("Restarts", "string", "", "Restarts of all containers.", 0, (pod, now) => Restarts(pod, now)),
        StandardColumns.Age,
        TableColumn.Wide("IP", pod => OrNone(pod.Text("status", "podIP"))),
        TableColumn.Wide("Node", pod => OrNone(pod.Text("spec", "nodeName"))),
        TableColumn.Wide("Nominated Node", pod => OrNone(pod.Text("status", "nominatedNodeName"))),
        TableColumn.Wide("Readiness Gates", pod => ReadinessGates(pod)),
    ];

    private static string OrNone(string? text) => text is { Length: > 0 } ? text : "<none>";

    private static string Status(JsonObject pod)
    {
        var reason = pod.Text("status", "reason") ?? pod.Text("status", "phase") ?? "Unknown";
        var initializing = false;
        var initStatuses = pod.Items("status", "initContainerStatuses").ToList();
        for (var i = 0; i < initStatuses.Count && !initializing; i++)
        {
            var state = initStatuses[i].At("state");
            if (state.At("terminated") is { } ended && ended.Integer("exitCode") == 0)
            {
                continue;
            }
            initializing = true;
            reason = state.At("terminated") is { } failed ? $"Init:{failed.Text("reason") ?? $"ExitCode:{failed.Integer("exitCode")}"}"
                : state.Text("waiting", "reason") is { Length: > 0 } waiting and not "PodInitializing" ? $"Init:{waiting}"
                : $"Init:{i}/{pod.Items("spec", "initContainers").Count()}";
        }
        if (!initializing)
        {
            var running = false;
            foreach (var container in pod.Items("status", "containerStatuses").Reverse())
            {
                var state = container.At("state");
                if (state.Text("waiting", "reason") is { Length: > 0 } waiting)
                {
                    reason = waiting;
                }
                else if (state.At("terminated") is { } ended)
                {
                    reason = ended.Text("reason") is { Length: > 0 } why ? why
                        : ended.Integer("signal") is { } signal and not 0 ? $"Signal:{signal}" : $"ExitCode:{ended.Integer("exitCode")}";
                }
                else if (container.Flag("ready") && state.At("running") is not null)
                {
                    running = true;
                }
            }
            if (reason == "Completed" && running)
            {
                reason = pod.Items("status", "conditions").Any(c => c.Text("type") == "Ready" && c.Text("status") == "True")
                    ? "Running"
                    : "NotReady";
            }
        }
        return !pod.IsDeleting() ? reason : pod.Text("status", "reason") == "NodeLost" ? "Unknown" : "Terminating";
    }

    private static string Restarts(JsonObject pod, DateTimeOffset now)
    {
        var count = pod.Items("status", "containerStatuses").Sum(c => c.Integer("restartCount") ?? 0);
        var last = pod.Items("status", "containerStatuses").Select(c => c.Time("lastState", "terminated", "finishedAt")).Max();
        return count > 0 && last is { } time ? $"{count} ({Age.Of(time, now)} ago)" : $"{count}";
    }

    private static string ReadinessGates(JsonObject pod)
    {
        var gates = pod.Items("spec", "readinessGates").Select(gate => gate.Text("conditionType")).ToList();
        var met = gates.Count(gate => pod.Items("status", "conditions").Any(c => c.Text("type") == gate && c.Text("status") == "True"));
        return gates.Count == 0 ? "<none>" : $"{met}/{gates.Count}";
    }
}
