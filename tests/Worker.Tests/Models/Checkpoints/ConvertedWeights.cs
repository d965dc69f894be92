using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Tests.Compute;

namespace Cluster.Worker.Tests.Models.Checkpoints;

/// <summary>A checkpoint stored in another type, or under other names.</summary>
internal sealed class ConvertedWeights(WeightSource original, DType? dtype = null, Func<string, string>? rename = null) : WeightSource
{
    private readonly Dictionary<string, string> _originals = original.Names.ToDictionary(name => rename?.Invoke(name) ?? name);

    public override string Location => original.Location;

    public override IReadOnlyCollection<string> Names => _originals.Keys;

    public override long TotalBytes => original.TotalBytes;

    public override HostTensor? Find(string name)
    {
        var tensor = _originals.TryGetValue(name, out var originalName) ? original.Find(originalName) : null;
        return tensor is null || dtype is null
            ? tensor
            : HostTensors.Of(name, dtype.Value, WeightReader.ReadAll(tensor), [.. tensor.Shape]);
    }
}
