using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Quantized;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu;

/// <content>Multiplication by codes that are scaled after they are summed.</content>
internal sealed unsafe partial class VectorBackend<V, TSimd>
{
    private void MultiplySegments(float* inputs, int rows, QuantizedWeight weight, QuantizedPanels panels, float* results)
    {
        switch (panels.Kind, panels.TableDType)
        {
            case (QuantizedKind.Fp8, _):
                MultiplySegments<Fp8Codes>(inputs, rows, weight, panels, results);
                break;
            case (QuantizedKind.BlockFp8, _):
                MultiplySegments<BlockFp8Codes>(inputs, rows, weight, panels, results);
                break;
            case (QuantizedKind.Mxfp4, _):
                MultiplySegments<Mxfp4Codes>(inputs, rows, weight, panels, results);
                break;
            case (QuantizedKind.Superblock, _):
                MultiplySegments<NibbleSuperblockCodes>(inputs, rows, weight, panels, results);
                break;
            case (_, DType.F16):
                MultiplyGrouped<F16Panel>(inputs, rows, weight, panels, results);
                break;
            case (_, DType.BF16):
                MultiplyGrouped<Bf16Panel>(inputs, rows, weight, panels, results);
                break;
            default:
                MultiplyGrouped<F32Panel>(inputs, rows, weight, panels, results);
                break;
        }
    }

    private void MultiplyGrouped<TTable>(float* inputs, int rows, QuantizedWeight weight, QuantizedPanels panels, float* results)
        where TTable : IPanelFormat
    {
        if (panels.Bits == 4)
        {
            MultiplySegments<NibbleCodes<TTable>>(inputs, rows, weight, panels, results);
        }
        else
        {
            MultiplySegments<ByteCodes<TTable>>(inputs, rows, weight, panels, results);
        }
    }

    private void MultiplySegments<TCodes>(float* inputs, int rows, QuantizedWeight weight, QuantizedPanels panels, float* results)
        where TCodes : ISegmentCodes
    {
        var segments = panels.PanelSegments;
        var tiles = new InputTiles(rows, segments.Length, TSimd.MaxRows);
        var padded = tiles.Count == 0 ? 0 : tiles.FirstRow(tiles.Count - 1) + tiles.KernelRows(tiles.Count - 1);
        var ordered = _segmentInputs.Floats((long)padded * (segments.Length + segments.Count));
        var sums = ordered + (long)padded * segments.Length;
        Threads.Run(
            padded, (long)padded * segments.Length,
            new SegmentInputs<TCodes>(segments, inputs, rows, panels.InFeatures, ordered, sums));
        float* filled = null;
        if (rows > SegmentGemmJob<V, TSimd, TCodes>.MostSingleRows)
        {
            filled = _inputTiles.Floats(tiles.Length);
            Threads.Run(tiles.Count, tiles.Length, new TileFilling(tiles, ordered, filled));
        }

        var cut = CutFor(weight, rows);
        var product = new GemmJob<V, TSimd, F32Panel>
        {
            Inputs = filled,
            Bias = panels.Bias,
            Output = results + panels.FirstOutput,
            OutputStride = weight.OutFeatures,
            Scratch = _resultTiles.Floats((long)GemmJob<V, TSimd, F32Panel>.ScratchFloats * Threads.Count),
            Tiles = tiles,
            Pairs = segments.Length / 2,
            OutFeatures = panels.OutFeatures,
            PanelCount = panels.PanelCount,
            Split = SplitOf(panels.PanelCount, panels.PanelBytes, tiles, cut),
            Cut = cut,
        };
        Threads.Run(product.Tasks, (long)rows * panels.InFeatures * panels.OutFeatures, new SegmentGemmJob<V, TSimd, TCodes>
        {
            Product = product,
            Segments = segments,
            Rows = ordered,
            Sums = sums,
            Panels = panels.Panels,
            PanelBytes = panels.PanelBytes,
            TableBytes = panels.TableBytes,
        });
    }
}
