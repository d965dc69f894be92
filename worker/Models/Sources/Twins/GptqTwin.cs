using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Sources.Twins;

/// <summary>GPTQ with 4 bits in groups; layout: <see cref="Quantization.GptqScheme"/>.</summary>
internal sealed unsafe class GptqTwin : SyntheticTwin
{
    private const string Codes = ".qweight";
    private const string Zeros = ".qzeros";
    private const int PerWord = 8;

    /// <summary>Eight zeros less 1 each.</summary>
    private const uint ZeroWord = 0x7777_7777;

    public override string Name => "gptq";

    public override string CodesPart => Codes;

    public override JsonObject ConfigJson(int groupSize) => new()
    {
        [QuantizationMethods.MethodField] = QuantizationMethods.Gptq,
        ["bits"] = 4,
        ["group_size"] = groupSize,
        ["desc_act"] = false,
        ["sym"] = true,
        ["checkpoint_format"] = "gptq",
    };

    public override IEnumerable<(string Part, DType DType, ImmutableArray<int> Shape)> Parts(int outputs, int inputs, int groupSize) =>
    [
        (Codes, DType.I32, [inputs / PerWord, outputs]),
        (Zeros, DType.I32, [inputs / groupSize, outputs / PerWord]),
        (".scales", DType.F16, [inputs / groupSize, outputs]),
    ];

    public override void Fill(string part, SyntheticMatrix layer, int groupSize, nint address)
    {
        var groups = layer.Columns / groupSize;
        switch (part)
        {
            case Codes:
                var perUnit = 1 / (float)TwinCodes.Scale4;
                layer.ForRows((output, weights) =>
                {
                    var words = (uint*)address + output;
                    for (var word = 0; word < weights.Length / PerWord; word++)
                    {
                        uint codes = 0;
                        for (var i = 0; i < PerWord; i++)
                        {
                            codes |= (uint)(TwinCodes.Nearest(weights[(PerWord * word) + i], perUnit, -8, 7) + TwinCodes.Middle) << (4 * i);
                        }

                        words[(long)word * layer.Rows] = codes;
                    }
                });
                break;
            case Zeros:
                TwinCodes.Repeat(address, (long)groups * layer.Rows / PerWord, ZeroWord);
                break;
            default:
                TwinCodes.Repeat(address, (long)groups * layer.Rows, TwinCodes.Scale4);
                break;
        }
    }
}
