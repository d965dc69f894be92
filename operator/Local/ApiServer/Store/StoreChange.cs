namespace Cluster.Operator.Local.ApiServer.Store;

/// <summary>One committed write. <paramref name="Previous"/> null: created. <paramref name="Current"/> null: deleted. Both:
/// updated.</summary>
/// <param name="Deleted">For a deletion, the last state under the version of the deletion.</param>
internal sealed record StoreChange(long Version, StoredObject? Previous, StoredObject? Current, StoredObject? Deleted);
