using System.Collections.Immutable;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>The kinds being served now: built-in ones and those of established CRDs. Reads take no lock; each change publishes a new
/// list.</summary>
internal sealed class ResourceRegistry
{
    private ImmutableList<ResourceType> _types = [];
    private TaskCompletionSource _changed = NewSignal();

    public ResourceRegistry() => _types = [.. BuiltInResources.All(new CustomResourceDefinitionStrategy(this))];

    public IReadOnlyList<ResourceType> Types => Volatile.Read(ref _types);

    /// <summary>Completes when other kinds are served than when it was asked for.</summary>
    public Task NextChange => Volatile.Read(ref _changed).Task;

    public ResourceType? Find(string group, string version, string plural) =>
        Types.FirstOrDefault(type => type.Plural == plural && type.Group == group && type.Version == version);

    /// <summary>One type for each collection of stored objects.</summary>
    public IEnumerable<ResourceType> Collections => Types.Where(type => !type.IsReview).DistinctBy(type => type.Collection);

    public bool IsServed(ResourceType type) => Types.Contains(type);

    /// <summary>Serves these versions of a kind in place of those served before.</summary>
    public void Replace(string group, string plural, IReadOnlyList<ResourceType> versions)
    {
        ImmutableInterlocked.Update(
            ref _types, types => types.RemoveAll(type => type.Group == group && type.Plural == plural).AddRange(versions));
        Interlocked.Exchange(ref _changed, NewSignal()).SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
