using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Quantized;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu;

/// <content>Multiplication of rounded inputs by integer weights.</content>
internal sealed unsafe partial class VectorBackend<V, TSimd>
{
    /// <summary>Four products at once have 256 bits in .NET, also where floats have 512.</summary>
    private protected override int IntegerPanelWidth => Simd256.HasQuads && TSimd.Lanes > Simd256.Lanes ? 2 * Simd256.Lanes : PanelWidth;

    /// <param name="inputs">Rows that are not rounded yet.</param>
    private void MultiplyIntegers(float* inputs, int rows, QuantizedWeight weight, QuantizedPanels panels, float* results)
    {
        if (panels.PanelWidth != PanelWidth)
        {
            MultiplyIntegers<Vector256<float>, Simd256, QuadDots>(inputs, rows, weight, panels, results);
        }
        else if (TSimd.HasQuads)
        {
            MultiplyIntegers<V, TSimd, QuadDots>(inputs, rows, weight, panels, results);
        }
        else
        {
            MultiplyIntegers<V, TSimd, PairDots>(inputs, rows, weight, panels, results);
        }
    }

    private void MultiplyIntegers<W, TWide, TDots>(
        float* inputs, int rows, QuantizedWeight weight, QuantizedPanels panels, float* results)
        where W : unmanaged
        where TWide : ISimd<W>
        where TDots : IByteDots
    {
        var tiles = new InputTiles(rows, panels.InFeatures, TWide.MaxRows);
        var memory = (int*)_inputTiles.Floats(IntegerTiles<TDots>.Words(tiles, panels.InFeatures));
        var rounded = new IntegerTiles<TDots>(tiles, panels.InFeatures, inputs, panels.Inputs!.Scale, memory);
        Threads.Run(tiles.Count, tiles.Length, rounded);
        var cut = CutFor(weight, rows);
        var product = new GemmJob<W, TWide, F32Panel>
        {
            Bias = panels.Bias,
            Output = results + panels.FirstOutput,
            OutputStride = weight.OutFeatures,
            Scratch = _resultTiles.Floats((long)GemmJob<W, TWide, F32Panel>.ScratchFloats * Threads.Count),
            Tiles = tiles,
            Pairs = IntegerTiles<TDots>.QuadsOf(panels.InFeatures),
            OutFeatures = panels.OutFeatures,
            PanelCount = panels.PanelCount,
            Split = SplitOf(panels.PanelCount, panels.PanelBytes, tiles, cut),
            Cut = cut,
        };
        switch (panels.TableDType)
        {
            case DType.F16:
                MultiplyIntegers<W, TWide, TDots, F16Panel>(product, panels, rounded);
                break;
            case DType.BF16:
                MultiplyIntegers<W, TWide, TDots, Bf16Panel>(product, panels, rounded);
                break;
            default:
                MultiplyIntegers<W, TWide, TDots, F32Panel>(product, panels, rounded);
                break;
        }
    }

    private void MultiplyIntegers<W, TWide, TDots, TTable>(
        in GemmJob<W, TWide, F32Panel> product, QuantizedPanels panels, in IntegerTiles<TDots> inputs)
        where W : unmanaged
        where TWide : ISimd<W>
        where TDots : IByteDots
        where TTable : IPanelFormat
    {
        var operations = (long)product.Tiles.Rows * panels.InFeatures * panels.OutFeatures;
        Threads.Run(product.Tasks, operations, new IntegerGemmJob<W, TWide, TDots, TTable>
        {
            Product = product,
            Inputs = inputs,
            Panels = panels.Panels,
            PanelBytes = panels.PanelBytes,
            TableBytes = panels.TableBytes,
        });
    }
}
