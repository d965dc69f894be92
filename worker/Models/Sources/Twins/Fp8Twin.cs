using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Sources.Twins;

/// <summary>E4M3 weights with a scale for each tensor; layout: <see cref="Quantization.Fp8Scheme"/>.</summary>
internal sealed unsafe class Fp8Twin : SyntheticTwin
{
    private const string Codes = ".weight";
    private const float Scale = SyntheticMatrix.Amplitude / Fp8.MaxE4M3;

    /// <summary>The code of each BF16: there are not many.</summary>
    private static readonly byte[] CodeOf = [
        .. Enumerable.Range(0, 1 << 16).Select(bits => Fp8.ToE4M3(SyntheticMatrix.Widened((ushort)bits) / Scale))];

    public override string Name => "fp8";

    public override string CodesPart => Codes;

    public override JsonObject ConfigJson(int groupSize) => new()
    {
        [QuantizationMethods.MethodField] = QuantizationMethods.Fp8,
        ["activation_scheme"] = "dynamic",
        ["fmt"] = "e4m3",
    };

    public override IEnumerable<(string Part, DType DType, ImmutableArray<int> Shape)> Parts(int outputs, int inputs, int groupSize) =>
    [
        (Codes, DType.F8E4M3, [outputs, inputs]),
        (".weight_scale", DType.F32, [1]),
    ];

    public override void Fill(string part, SyntheticMatrix layer, int groupSize, nint address)
    {
        if (part != Codes)
        {
            *(float*)address = Scale;
            return;
        }

        layer.ForRows((output, weights) =>
        {
            var codes = (byte*)address + (long)output * layer.Columns;
            for (var i = 0; i < weights.Length; i++)
            {
                codes[i] = CodeOf[weights[i]];
            }
        });
    }
}
