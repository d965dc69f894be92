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
                MultiplySuperblocks(inputs, rows, weight, panels, results);
                break;
            case (_, DType.F16):
                MultiplyGrouped<F16Panel, F16PanelScales>(inputs, rows, weight, panels, results);
                break;
            case (_, DType.BF16):
                MultiplyGrouped<Bf16Panel, Bf16PanelScales>(inputs, rows, weight, panels, results);
                break;
            default:
                MultiplyGrouped<F32Panel, F32PanelScales>(inputs, rows, weight, panels, results);
                break;
        }
    }

    private void MultiplySuperblocks(float* inputs, int rows, QuantizedWeight weight, QuantizedPanels panels, float* results)
    {
        switch (panels.Bits)
        {
            case 4:
                MultiplySegments<SuperblockCodes<FourBits>>(inputs, rows, weight, panels, results);
                break;
            case 5:
                MultiplySegments<SuperblockCodes<FiveBits>>(inputs, rows, weight, panels, results);
                break;
            default:
                MultiplySegments<SuperblockCodes<SixBits>>(inputs, rows, weight, panels, results);
                break;
        }
    }

    private void MultiplyGrouped<TTable, TScales>(
        float* inputs, int rows, QuantizedWeight weight, QuantizedPanels panels, float* results)
        where TTable : IPanelFormat
        where TScales : IPanelScales
    {
        switch (panels.Bits, panels.IsSymmetric)
        {
            case (4, false):
                MultiplySegments<NibbleCodes<TTable>>(inputs, rows, weight, panels, results);
                break;
            case (4, true):
                MultiplySegments<SymmetricCodes<NibbleCodes<TTable>, TScales>>(inputs, rows, weight, panels, results);
                break;
            case (_, false):
                MultiplySegments<ByteCodes<TTable>>(inputs, rows, weight, panels, results);
                break;
            default:
                MultiplySegments<SymmetricCodes<ByteCodes<TTable>, TScales>>(inputs, rows, weight, panels, results);
                break;
        }
    }

    private void MultiplySegments<TCodes>(float* inputs, int rows, QuantizedWeight weight, QuantizedPanels panels, float* results)
        where TCodes : ISegmentCodes
    {
        if (!TCodes.AreIntegers)
        {
            var places = panels.PanelSegments.Length;
            var ordered = _segmentInputs.Floats((long)rows * places);
            Threads.Run(
                rows, (long)rows * places, new SegmentInputs<TCodes>(panels.PanelSegments, inputs, panels.InFeatures, ordered));
            MultiplySegments<TCodes>(
                ordered, sums: null, rows, weight, panels, panels.Bias, results + panels.FirstOutput, weight.OutFeatures);
            return;
        }

        var rounded = Rounded<TCodes>(inputs, rows, weight.KeepsInputs ? 2 : 1, panels);
        if (rounded.Terms == 1)
        {
            MultiplySegments<TCodes>(
                rounded.Words, rounded.Sums, rows, weight, panels, panels.Bias, results + panels.FirstOutput, weight.OutFeatures);
            return;
        }

        // What rounding has left of the inputs are rows of their own.
        var outputs = panels.PanelCount * panels.PanelWidth;
        var terms = _terms.Floats((2L * rows + 1) * outputs);
        new Span<float>(terms, outputs).Clear();
        MultiplySegments<TCodes>(rounded.Words, rounded.Sums, 2 * rows, weight, panels, terms, terms + outputs, outputs);
        for (var row = 0; row < rows; row++)
        {
            var first = terms + (1L + row) * outputs;
            var second = first + (long)rows * outputs;
            var target = results + (long)row * weight.OutFeatures + panels.FirstOutput;
            for (var output = 0; output < panels.OutFeatures; output++)
            {
                target[output] = first[output] + second[output] + panels.Bias[output];
            }
        }
    }

    /// <param name="terms">Into how many the inputs are cut: as many times as many rows.</param>
    private RoundedSegmentInputs<TCodes> Rounded<TCodes>(float* inputs, int rows, int terms, QuantizedPanels panels)
        where TCodes : ISegmentCodes
    {
        var segments = panels.PanelSegments;
        var memory = _segmentInputs.Floats(RoundedSegmentInputs<TCodes>.Floats(segments, rows * terms, Threads.Count));
        var rounded = new RoundedSegmentInputs<TCodes>(segments, inputs, rows, terms, panels.InFeatures, memory);
        Threads.Run(rows, (long)rows * segments.Length, rounded);
        return rounded;
    }

    /// <param name="ordered">Inputs row by row, a word for each step.</param>
    /// <param name="sums">What rounded inputs have for each segment, row by row.</param>
    /// <param name="bias">For whole panels.</param>
    private void MultiplySegments<TCodes>(
        float* ordered, float* sums, int rows, QuantizedWeight weight, QuantizedPanels panels, float* bias, float* results,
        int resultStride)
        where TCodes : ISegmentCodes
    {
        var segments = panels.PanelSegments;
        var words = SegmentKernels<V, TSimd, TCodes>.StepsOf(segments.Length);
        var tiles = new InputTiles(rows, words, TSimd.MaxRows);
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
            Bias = bias,
            Output = results,
            OutputStride = resultStride,
            Scratch = _resultTiles.Floats((long)GemmJob<V, TSimd, F32Panel>.ScratchFloats * Threads.Count),
            Tiles = tiles,
            Pairs = words / 2,
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
