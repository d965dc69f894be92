using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Sources.Twins;

/// <summary>AWQ with 4 bits in groups; layout: <see cref="Quantization.AwqScheme"/>.</summary>
internal sealed unsafe class AwqTwin : SyntheticTwin
{
    private const string Codes = ".qweight";
    private const string Zeros = ".qzeros";
    private const int PerWord = 8;
    private const uint ZeroWord = 0x8888_8888;

    /// <summary>Where in a word each of its outputs is.</summary>
    private static readonly int[] Places = [0, 4, 1, 5, 2, 6, 3, 7];

    public override string Name => "awq";

    public override string CodesPart => Codes;

    public override JsonObject ConfigJson(int groupSize) => new()
    {
        [QuantizationMethods.MethodField] = QuantizationMethods.Awq,
        ["bits"] = 4,
        ["group_size"] = groupSize,
        ["zero_point"] = true,
        ["version"] = "gemm",
    };

    public override IEnumerable<(string Part, DType DType, ImmutableArray<int> Shape)> Parts(int outputs, int inputs, int groupSize) =>
    [
        (Codes, DType.I32, [inputs, outputs / PerWord]),
        (Zeros, DType.I32, [inputs / groupSize, outputs / PerWord]),
        (".scales", DType.F16, [inputs / groupSize, outputs]),
    ];

    public override void Fill(string part, SyntheticMatrix layer, int groupSize, nint address)
    {
        var groups = layer.Columns / groupSize;
        switch (part)
        {
            case Codes:
                FillCodes(layer, (byte*)address);
                break;
            case Zeros:
                TwinCodes.Repeat(address, (long)groups * layer.Rows / PerWord, ZeroWord);
                break;
            default:
                TwinCodes.Repeat(address, (long)groups * layer.Rows, TwinCodes.Scale4);
                break;
        }
    }

    /// <summary>Two outputs share a byte, so rows are drawn in eights.</summary>
    private static void FillCodes(SyntheticMatrix layer, byte* address)
    {
        var perUnit = 1 / (float)TwinCodes.Scale4;
        var words = layer.Rows / PerWord;
        System.Threading.Tasks.Parallel.For(0, words, word =>
        {
            var rows = new ushort[PerWord][];
            for (var i = 0; i < PerWord; i++)
            {
                rows[i] = new ushort[layer.Columns];
                layer.Draw((PerWord * word) + i, rows[i]);
            }

            for (var input = 0; input < layer.Columns; input++)
            {
                uint codes = 0;
                for (var i = 0; i < PerWord; i++)
                {
                    codes |= (uint)(TwinCodes.Nearest(rows[i][input], perUnit, -8, 7) + TwinCodes.Middle) << (4 * Places[i]);
                }

                ((uint*)address)[((long)input * words) + word] = codes;
            }
        });
    }
}
