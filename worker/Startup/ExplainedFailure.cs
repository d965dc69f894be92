using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Engine;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Startup;

/// <summary>Exceptions whose messages say all that a user can act on; a stack trace would only hide that. Asked by the program and by
/// <c>serve</c>.</summary>
internal static class ExplainedFailure
{
    public static bool Is(Exception exception) => exception
        is StartupException or NotSupportedException or ChatTemplateException
        or RankLostException or DeviceLostException or KernelBuildException or InsufficientMemoryException or EngineUnavailableException;
}
