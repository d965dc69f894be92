using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Sources.Twins;

/// <summary>compressed-tensors with 8-bit weights and inputs; layout: <see cref="Quantization.CompressedIntegers"/>.</summary>
internal sealed unsafe class Int8Twin : SyntheticTwin
{
    private const string Codes = ".weight";

    public override string Name => "w8a8";

    public override string CodesPart => Codes;

    public override JsonObject ConfigJson(int groupSize)
    {
        var inputs = new JsonObject
        {
            ["num_bits"] = 8,
            ["type"] = "int",
            ["strategy"] = "token",
            ["symmetric"] = true,
            ["dynamic"] = true,
        };
        return PackedTwin.Compressed("int-quantized", 8, "channel", groupSize: null, inputs);
    }

    public override IEnumerable<(string Part, DType DType, ImmutableArray<int> Shape)> Parts(int outputs, int inputs, int groupSize) =>
    [
        (Codes, DType.I8, [outputs, inputs]),
        (".weight_scale", DType.BF16, [outputs, 1]),
    ];

    public override void Fill(string part, SyntheticMatrix layer, int groupSize, nint address)
    {
        if (part != Codes)
        {
            TwinCodes.Repeat(address, layer.Rows, TwinCodes.Scale8);
            return;
        }

        var perUnit = 1 / SyntheticMatrix.Widened(TwinCodes.Scale8);
        layer.ForRows((output, weights) =>
        {
            var codes = (sbyte*)address + (long)output * layer.Columns;
            for (var i = 0; i < weights.Length; i++)
            {
                codes[i] = (sbyte)TwinCodes.Nearest(weights[i], perUnit, -127, 127);
            }
        });
    }
}
