using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>For sources that an operator in a cluster cannot look into: folders of nodes, volume claims, and the hub where it is turned
/// off.</summary>
internal sealed class NoModelConfigs : IModelConfigs
{
    public Task<ModelConfig> ReadAsync(ModelSource source, CancellationToken cancellationToken) =>
        throw new ModelConfigException(source switch
        {
            ModelSource.Hf => "the operator was told not to ask the hub (--model-config-endpoint none)",
            ModelSource.Oci => "the operator pulls no images",
            ModelSource.Pvc => "the operator mounts no volume claims",
            _ => "the operator cannot look into a folder of the nodes",
        });
}
