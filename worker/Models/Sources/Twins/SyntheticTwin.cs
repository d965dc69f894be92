using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Sources.Twins;

/// <summary>A checkpoint format of codes that a <see cref="SyntheticModel"/>'s linear layers come in. All weights lie within one range, so
/// that one scale serves them all; it is stored as often as the format stores scales.</summary>
internal abstract class SyntheticTwin
{
    /// <summary>Follows the shape's name.</summary>
    public abstract string Name { get; }

    /// <summary>The part that has the codes: nearly all of a layer.</summary>
    public abstract string CodesPart { get; }

    /// <summary><c>quantization_config</c> of config.json.</summary>
    public abstract JsonObject ConfigJson(int groupSize);

    /// <summary>Tensors of a layer by what follows its name.</summary>
    public abstract IEnumerable<(string Part, DType DType, ImmutableArray<int> Shape)> Parts(int outputs, int inputs, int groupSize);

    /// <summary>Writes one of them.</summary>
    public abstract void Fill(string part, SyntheticMatrix layer, int groupSize, nint address);
}
