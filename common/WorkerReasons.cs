namespace Cluster.Common;

/// <summary>Why a worker is not ready, where somebody acts on it: the <c>reason</c> in the body of <c>/ready</c>.</summary>
internal static class WorkerReasons
{
    /// <summary>The device no longer computes what it computed when the model was loaded. The operator replaces the worker, and gives its
    /// GPUs to nobody.</summary>
    public const string WrongResults = "WrongResults";
}
