namespace Cluster.EndToEnd.Tests.Fuzz;

/// <summary>What an input allocates is measured for the process as a whole, servers' threads and all: other tests would be taken for
/// it.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "inputs alone";
}
