namespace Cluster.Operator.Controller;

/// <summary>Brings the world to what one object asks for. Level-triggered: it is told which object, never what happened.</summary>
internal interface IReconciler
{
    /// <summary>Called by <see cref="ControllerLoop"/>, never twice at once for the same key. Throwing means "again, after a
    /// backoff".</summary>
    Task<ReconcileResult> ReconcileAsync(NamespacedName key, CancellationToken cancellationToken);
}

/// <summary>What a reconcile that did not fail asks for next.</summary>
/// <param name="RequeueAfter">Look at the object again after this time even if nothing changes; null: only on change.</param>
/// <param name="Problem">What was tried and did not work, although the reconciler itself knows when to try again: it is logged and counted
/// like an exception.</param>
internal readonly record struct ReconcileResult(TimeSpan? RequeueAfter, string? Problem = null)
{
    public static ReconcileResult Done { get; } = new(null);

    public static ReconcileResult After(TimeSpan delay) => new(delay);
}
