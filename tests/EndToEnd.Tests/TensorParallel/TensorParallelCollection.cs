namespace Cluster.EndToEnd.Tests.TensorParallel;

/// <summary>Replicas of several processes, one replica at a time.</summary>
[CollectionDefinition(Name)]
public sealed class TensorParallelCollection
{
    public const string Name = "tensor parallel";
}
