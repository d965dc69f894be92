namespace Cluster.Operator.Controller;

internal enum ChangeType
{
    Added,
    Updated,
    Deleted,
}

/// <summary>What an informer tells its handlers.</summary>
/// <param name="Before">Null for <see cref="ChangeType.Added"/>.</param>
/// <param name="Object">The newest state known; of a deleted object the last one.</param>
/// <param name="Missed">The deletion itself was not seen: the object was absent from a later list, so that
/// <paramref name="Object"/> may be older than its true last state.</param>
internal sealed record ObjectChange<T>(ChangeType Type, T? Before, T Object, bool Missed = false);
