using System.Collections.Immutable;
using Cluster.Worker.Compute.Cpu.Quantized;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu;

/// <content>Loading of quantized weights.</content>
internal abstract unsafe partial class CpuBackend
{
    /// <summary>Outputs of a panel whose inputs are rounded.</summary>
    private protected abstract int IntegerPanelWidth { get; }

    public override LinearWeight LoadLinear(string name, IReadOnlyList<QuantizedMatrix> parts, IReadOnlyList<HostTensor>? biases = null)
    {
        var (inFeatures, outFeatures) = LinearShape.Check(name, parts, biases);
        var sections = ImmutableArray.CreateBuilder<QuantizedPanels>();
        var firstOutput = 0;
        var firstPart = 0;
        foreach (var run in QuantizedRuns.Of(parts))
        {
            var width = QuantizedPanels.RoundsInputsOf(run[0]) ? IntegerPanelWidth : PanelWidth;
            var section = new QuantizedPanels(run, firstOutput, width, bytes => AllocateMemory(name, bytes));
            Parallel.For(
                0,
                section.PanelCount,
                new ParallelOptions { MaxDegreeOfParallelism = Threads.Count },
                panel => QuantizedPacker.Pack(run, section, panel));
            WriteBiases(biases?.Skip(firstPart).Take(run.Length) ?? [], section.Bias);
            sections.Add(section);
            firstOutput += section.OutFeatures;
            firstPart += run.Length;
        }

        return Tunable(new QuantizedWeight(name, inFeatures, outFeatures, sections.ToImmutable(), KeepsInputs));
    }

    private static void WriteBiases(IEnumerable<HostTensor> biases, float* destination)
    {
        foreach (var bias in biases)
        {
            var values = WeightReader.ReadAll(bias);
            values.CopyTo(new Span<float>(destination, values.Length));
            destination += values.Length;
        }
    }
}
