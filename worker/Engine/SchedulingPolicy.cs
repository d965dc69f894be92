namespace Cluster.Worker.Engine;

/// <summary>Whose turn it is; spelled <c>fcfs</c> and <c>priority</c> on the command line.</summary>
internal enum SchedulingPolicy
{
    /// <summary>First come, first served.</summary>
    Fcfs,

    /// <summary>The lowest <see cref="GenerationRequest.Priority"/> first; of equal ones, the first that came. The last in this order gives
    /// up its blocks when they are short.</summary>
    Priority,
}
