using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Memory;
using Cluster.Worker.Compute.Cpu.Quantized;

namespace Cluster.Worker.Compute.Cpu;

/// <content>Multiplication by quantized weights.</content>
internal sealed unsafe partial class VectorBackend<V, TSimd>
{
    private void Multiply(Tensor x, QuantizedWeight weight, Tensor output)
    {
        var inputs = CpuBuffer.Floats(x, x.Rows, weight.InFeatures);
        var results = CpuBuffer.Floats(output, x.Rows, weight.OutFeatures);
        var tiles = new InputTiles(x.Rows, weight.InFeatures, TSimd.MaxRows);
        float* filled = null;
        foreach (var section in weight.Sections)
        {
            if (section.Inputs is not null || section.Segments is not null)
            {
                // Their inputs take the same memory.
                filled = null;
                if (section.Inputs is not null)
                {
                    MultiplyIntegers(inputs, x.Rows, weight, section, results);
                }
                else
                {
                    MultiplySegments(inputs, x.Rows, weight, section, results);
                }

                continue;
            }

            if (filled == null)
            {
                filled = _inputTiles.Floats(tiles.Length);
                Threads.Run(tiles.Count, tiles.Length, new TileFilling(tiles, inputs, filled));
            }

            var cut = CutFor(weight, x.Rows);
            MultiplyLookups(
                new GemmJob<V, TSimd, F32Panel>
                {
                    Inputs = filled,
                    Bias = section.Bias,
                    Output = results + section.FirstOutput,
                    OutputStride = weight.OutFeatures,
                    Scratch = _resultTiles.Floats((long)GemmJob<V, TSimd, F32Panel>.ScratchFloats * Threads.Count),
                    Tiles = tiles,
                    Pairs = section.Pairs,
                    OutFeatures = section.OutFeatures,
                    PanelCount = section.PanelCount,
                    Split = SplitOf(section.PanelCount, section.PanelBytes, tiles, cut),
                    Cut = cut,
                },
                section);
        }
    }

    private void MultiplyLookups(in GemmJob<V, TSimd, F32Panel> product, QuantizedPanels panels)
    {
        switch (panels.TableDType)
        {
            case DType.F16:
                MultiplyLookups<F16Panel>(product, panels);
                break;
            case DType.BF16:
                MultiplyLookups<Bf16Panel>(product, panels);
                break;
            default:
                MultiplyLookups<F32Panel>(product, panels);
                break;
        }
    }

    private void MultiplyLookups<TTable>(in GemmJob<V, TSimd, F32Panel> product, QuantizedPanels panels)
        where TTable : IPanelFormat
    {
        var operations = (long)product.Tiles.Rows * panels.InFeatures * panels.OutFeatures;
        Threads.Run(product.Tasks, operations, new LookupGemmJob<V, TSimd, TTable>
        {
            Product = product,
            Panels = panels.Panels,
            PanelBytes = panels.PanelBytes,
            TableBytes = panels.TableBytes,
        });
    }
}
