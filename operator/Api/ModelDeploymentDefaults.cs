using System.Text.Json.Nodes;

namespace Cluster.Operator.Api;

/// <summary>Fills in what the CRD's schema defaults would have: for manifests that never saw an API server (<c>render</c>) and objects
/// stored before a default existed.</summary>
/// <remarks>Most defaults are the property initializers of the C# types; here are the ones JSON can undo (an explicit null) or that have no
/// initializer.</remarks>
internal static class ModelDeploymentDefaults
{
    public const string NcclAuto = "Auto";

    /// <summary>Completes the object in place and returns it.</summary>
    public static ModelDeployment Apply(ModelDeployment deployment)
    {
        deployment.Spec ??= new ModelDeploymentSpec();
        var spec = deployment.Spec;
        spec.Model ??= new ModelSpec();
        spec.Gpu ??= new GpuSpec();
        spec.Engine ??= new EngineSpec();
        spec.Tuning ??= new TuningSpec();
        spec.Rollout ??= new RolloutSpec();
        spec.Gpu.ResourceName ??= new GpuSpec().ResourceName;
        spec.Tuning.NcclMinNChannels ??= JsonValue.Create(NcclAuto);
        return deployment;
    }
}
