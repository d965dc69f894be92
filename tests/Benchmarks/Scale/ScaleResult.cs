namespace Cluster.Benchmarks.Scale;

/// <summary>What <see cref="ScaleRun"/> measured at one size.</summary>
/// <param name="Lost">Replicas that were on the nodes that vanished.</param>
/// <param name="PeakMiB">Most memory that was resident in the operator's process at once.</param>
/// <param name="SharedGpus">GPUs that two pods held at the end of a phase; anything but 0 is a bug.</param>
internal sealed record ScaleResult(
    int Nodes, int Deployments, int Replicas, int Lost, PhaseCost Placing, PhaseCost Repairing, double PeakMiB, int SharedGpus)
{
    public double RequestsAReplica(string method) => Placing.Requests.GetValueOrDefault(method) / (double)Replicas;
}

/// <summary>What one phase took.</summary>
/// <param name="Seconds">On the wall.</param>
/// <param name="CpuSeconds">Of the operator's process, user and system.</param>
/// <param name="SimulationCpuSeconds">Of this process: the API server, the scheduler and the kubelets.</param>
/// <param name="Reconciles">Of the operator.</param>
/// <param name="Requests">Of the operator, by HTTP method.</param>
internal sealed record PhaseCost(
    double Seconds, double CpuSeconds, double SimulationCpuSeconds, long Reconciles, IReadOnlyDictionary<string, long> Requests);
