namespace Cluster.EndToEnd.Tests.Load;

/// <summary>Tests that keep every processor busy: they run one after the other, and beside nothing else.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LoadCollection
{
    public const string Name = "load";
}
