using Cluster.Worker.Models.Running;

namespace Cluster.Benchmarks;

/// <summary>Lends a runner to an engine that would dispose it.</summary>
internal sealed class SharedRunner(IModelRunner runner) : DelegatingRunner(runner)
{
    public override void Dispose()
    {
        // Whoever lent it does.
    }
}
