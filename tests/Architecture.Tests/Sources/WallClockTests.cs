using Cluster.Architecture.Tests.Rooms;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Cluster.Architecture.Tests.Sources;

/// <summary>The wall clock can be set at any time and differs between machines. It is read where a moment is told or compared with a date
/// that somebody else has written, never to measure how long something took or shall take: that is for timestamps and timers.</summary>
public sealed class WallClockTests
{
    private static readonly string[] Readings = [
        "GetUtcNow", "GetLocalNow", "UtcNow", "Now", "Today", "TickCount", "TickCount64"];

    private static readonly string[] Clocks = ["DateTime", "DateTimeOffset", "Environment", "TimeProvider"];

    /// <summary>"path: why it has to be the wall clock".</summary>
    private static readonly Dictionary<string, string> Allowed = new(StringComparer.Ordinal)
    {
        ["operator/Controller/EventRecorder.cs"] = "times of events",
        ["operator/Controller/LeaderElection.cs"] = "renewTime, which nobody here reads",
        ["operator/Gateway/GatewayServices.cs"] = "created of responses",
        ["operator/Gateway/Traffic/TrafficLog.cs"] = "when requests came, and what the axes of charts say",
        ["operator/Kubernetes/ExecCredentialSource.cs"] = "a credential's date of expiry; one that the server refuses is renewed anyway",
        ["operator/Kubernetes/KubernetesTransport.cs"] = "a date to retry after, of a server that does not say what its clock shows",
        ["operator/Local/ApiServer/LocalApiServer.cs"] = "dates of a certificate, a day of slack before them",
        ["operator/Local/ApiServer/Routing/Authentication.cs"] = "dates of expiry of tokens, told to whoever asked for them",
        ["operator/Local/ApiServer/Routing/ReadEndpoint.cs"] = "ages in tables",
        ["operator/Local/ApiServer/Routing/SubresourceEndpoint.cs"] = "sinceSeconds, compared with the times of log lines",
        ["operator/Local/ApiServer/Routing/WatchEndpoint.cs"] = "ages in tables",
        ["operator/Local/ApiServer/Routing/WriteEndpoint.cs"] = "ages in tables",
        ["operator/Local/ApiServer/Writing/AccountTokens.cs"] = "expirationTimestamp of a token",
        ["operator/Local/ApiServer/Writing/ApiState.cs"] = "times of objects",
        ["operator/Local/ApiServer/Writing/DisruptionBudgets.cs"] = "times of disrupted pods in a budget's status",
        ["operator/Local/ApiServer/Writing/ObjectDeletion.cs"] = "deletionTimestamp, which nobody here reads",
        ["operator/Local/Kubelet/ContainerLog.cs"] = "times of log lines",
        ["operator/Local/Kubelet/ContainerProcess.cs"] = "startedAt of a container",
        ["operator/Local/Kubelet/ContainerRunner.cs"] = "finishedAt of a container",
        ["operator/Local/Kubelet/LocalNode.cs"] = "times of a node's conditions",
        ["operator/Local/Kubelet/PodRunner.cs"] = "times of a pod's conditions",
        ["operator/Plugin/Explainer.cs"] = "for how long a node has been away, by the time in its condition",
        ["operator/Reconciling/GpuMarks.cs"] = "when a GPU was marked, for people",
        ["operator/Reconciling/ModelDeploymentReconciler.cs"] = "times of conditions; a pod's age, which delays one word of the status",
        ["operator/Reconciling/Autoscaling/AutoscalerLoop.cs"] = "times in the status, which outlive the process",
        ["operator/Reconciling/NextLook.cs"] = "times of the status and of pods",
        ["worker/Commands/BenchServeCommand.cs"] = "date of a result",
        ["worker/Commands/ServeCommand.cs"] = "age of the process, for the start log",
        ["worker/Compute/Collectives/AbandonedRankFiles.cs"] = "age of a file that was never locked",
        ["worker/Engine/ActiveRequest.cs"] = "where a request's spans begin",
        ["worker/Models/Sources/HubErrors.cs"] = "a date to retry after, of a hub that does not say what its clock shows",
        ["worker/Serving/Grpc/Services/VllmEngineService.cs"] = "when the last request came",
        ["worker/Serving/Http/RequestTicket.cs"] = "created",
        ["worker/Serving/ServingState.cs"] = "created of the model",
        ["worker/Tokenization/Jinja/Globals.cs"] = "strftime_now of chat templates",
    };

    [Fact]
    public void The_wall_clock_is_read_only_where_a_moment_is_told() =>
        Known.Only(
            Allowed.Keys,
            SourceFile.All.Where(file => !file.Path.StartsWith("tests/", StringComparison.Ordinal) && ReadsTheWallClock(file))
                .Select(file => file.Path));

    private static bool ReadsTheWallClock(SourceFile file) => file.Root.DescendantNodes().OfType<MemberAccessExpressionSyntax>()
        .Any(access => Readings.Contains(access.Name.Identifier.Text)
            && (access.Name.Identifier.Text.StartsWith("Get", StringComparison.Ordinal) || Clocks.Contains(access.Expression.ToString())));
}
