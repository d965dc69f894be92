namespace Cluster.Worker.Serving;

/// <summary>The version this worker reports: <c>/version</c>, server info, <c>--version</c>.</summary>
internal static class WorkerVersion
{
    public static string Current { get; } = typeof(WorkerVersion).Assembly.GetName().Version!.ToString(3);
}
