using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>What every operation on the API works with.</summary>
internal sealed record ApiState(VersionedStore Store, ResourceRegistry Registry, TimeProvider Clock)
{
    public string Now => ApiObject.Timestamp(Clock.GetUtcNow());

    /// <exception cref="ApiException">404.</exception>
    public StoredObject Require(ResourceType type, ObjectKey key) =>
        Store.Get(type.Collection, key) ?? throw ApiErrors.NotFound(type, key.Name);
}
