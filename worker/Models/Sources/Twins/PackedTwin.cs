using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Sources.Twins;

/// <summary>compressed-tensors with packed weights of 4 bits in groups, or of 8 with a scale for each output; inputs stay as they are.
/// Layout: <see cref="Quantization.CompressedIntegers"/>.</summary>
internal sealed unsafe class PackedTwin(int bits) : SyntheticTwin
{
    private const string Codes = ".weight_packed";
    private const string ShapeOf = ".weight_shape";

    public override string Name => bits == 4 ? "w4a16" : "w8a16";

    public override string CodesPart => Codes;

    private int PerWord => 32 / bits;

    private ushort Scale => bits == 4 ? TwinCodes.Scale4BF16 : TwinCodes.Scale8;

    public override JsonObject ConfigJson(int groupSize) =>
        Compressed("pack-quantized", bits, bits == 4 ? "group" : "channel", bits == 4 ? groupSize : null, inputs: null);

    /// <summary>A configuration whose one group has all layers but the output.</summary>
    public static JsonObject Compressed(string format, int bits, string strategy, int? groupSize, JsonObject? inputs) => new()
    {
        [QuantizationMethods.MethodField] = QuantizationMethods.CompressedTensors,
        ["format"] = format,
        ["ignore"] = new JsonArray("lm_head"),
        ["config_groups"] = new JsonObject
        {
            ["group_0"] = new JsonObject
            {
                ["targets"] = new JsonArray("Linear"),
                ["weights"] = new JsonObject
                {
                    ["num_bits"] = bits,
                    ["type"] = "int",
                    ["strategy"] = strategy,
                    ["group_size"] = groupSize,
                    ["symmetric"] = true,
                    ["dynamic"] = false,
                },
                ["input_activations"] = inputs,
            },
        },
    };

    public override IEnumerable<(string Part, DType DType, ImmutableArray<int> Shape)> Parts(int outputs, int inputs, int groupSize) =>
    [
        (Codes, DType.I32, [outputs, inputs / PerWord]),
        (ShapeOf, DType.I64, [2]),
        (".weight_scale", DType.BF16, [outputs, Groups(inputs, groupSize)]),
    ];

    public override void Fill(string part, SyntheticMatrix layer, int groupSize, nint address)
    {
        switch (part)
        {
            case Codes:
                FillCodes(layer, (uint*)address);
                break;
            case ShapeOf:
                ((long*)address)[0] = layer.Rows;
                ((long*)address)[1] = layer.Columns;
                break;
            default:
                TwinCodes.Repeat(address, (long)layer.Rows * Groups(layer.Columns, groupSize), Scale);
                break;
        }
    }

    private int Groups(int inputs, int groupSize) => bits == 4 ? inputs / groupSize : 1;

    private void FillCodes(SyntheticMatrix layer, uint* address)
    {
        var perUnit = 1 / SyntheticMatrix.Widened(Scale);
        var middle = 1 << (bits - 1);
        layer.ForRows((output, weights) =>
        {
            var words = address + ((long)output * layer.Columns / PerWord);
            for (var word = 0; word < weights.Length / PerWord; word++)
            {
                uint codes = 0;
                for (var i = 0; i < PerWord; i++)
                {
                    codes |= (uint)(TwinCodes.Nearest(weights[(PerWord * word) + i], perUnit, -middle, middle - 1) + middle) << (bits * i);
                }

                words[word] = codes;
            }
        });
    }
}
