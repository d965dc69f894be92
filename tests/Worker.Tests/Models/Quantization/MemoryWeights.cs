using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>Tensors that a test made.</summary>
internal sealed class MemoryWeights(params HostTensor[] tensors) : WeightSource
{
    public override string Location => "memory";

    public override IReadOnlyCollection<string> Names => [.. tensors.Select(tensor => tensor.Name)];

    public override long TotalBytes => tensors.Sum(tensor => tensor.ByteLength);

    public override HostTensor? Find(string name) => Array.Find(tensors, tensor => tensor.Name == name);
}
