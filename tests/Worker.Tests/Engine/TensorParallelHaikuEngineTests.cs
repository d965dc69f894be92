using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Models.Parallel;

namespace Cluster.Worker.Tests.Engine;

/// <summary>The engine on two ranks: chunks, prefix cache, sequences of one request and beams have the bits they have alone, as on one
/// device.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class TensorParallelHaikuEngineTests : HaikuEngineTests
{
    private protected override IModelRunner Load(ModelRunnerOptions options) => CpuRanks.Load(Fixtures.Haiku, 2, options).Runner;
}
