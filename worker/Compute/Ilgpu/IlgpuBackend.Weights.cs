using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>Weights, and multiplying by them.</content>
internal sealed partial class IlgpuBackend
{
    public override Tensor LoadVector(HostTensor source)
    {
        WeightReader.RequireReadable(source);
        var values = WeightReader.ReadAll(source);
        var range = _arena.Take(source.Name, (long)values.Length * sizeof(float));
        _launcher.Write(range, MemoryMarshal.AsBytes(values.AsSpan()));
        return new Tensor(new IlgpuBuffer(source.Name, range), DType.F32, 1, values.Length);
    }

    public override LinearWeight LoadLinear(string name, IReadOnlyList<HostTensor> parts, IReadOnlyList<HostTensor>? biases = null)
    {
        var (inFeatures, outFeatures) = LinearShape.Check(name, parts, biases);
        var format = WeightFormat.Plain(parts.All(part => part.DType == parts[0].DType) ? parts[0].DType : DType.F32);
        var section = Section(name, format, 0, outFeatures, inFeatures, tableWords: 0);
        _packer.Write(parts, section);
        _packer.WriteBiases(biases ?? [], section);
        return Tunable(new IlgpuLinear(name, inFeatures, outFeatures, [section]));
    }

    public override LinearWeight LoadLinear(string name, IReadOnlyList<QuantizedMatrix> parts, IReadOnlyList<HostTensor>? biases = null)
    {
        var (inFeatures, outFeatures) = LinearShape.Check(name, parts, biases);
        var sections = ImmutableArray.CreateBuilder<LinearSection>();
        var (firstOutput, firstPart) = (0, 0);
        foreach (var run in QuantizedRuns.Of(parts))
        {
            var outputs = run.Sum(part => part.OutFeatures);
            var words = WeightPacker.TableWords(run, LinearSection.PaddedOf(outputs));
            var section = Section(name, WeightFormat.Of(run[0]), firstOutput, outputs, inFeatures, words);
            _packer.Write(run, section);
            _packer.WriteBiases(biases?.Skip(firstPart).Take(run.Length) ?? [], section);
            sections.Add(section);
            firstOutput += outputs;
            firstPart += run.Length;
        }

        return Tunable(new IlgpuLinear(name, inFeatures, outFeatures, sections.ToImmutable()));
    }

    public override EmbeddingTable LoadEmbedding(HostTensor source)
    {
        WeightReader.RequireReadable(source);
        var range = _arena.Take(source.Name, source.ByteLength);
        _packer.WriteRows(source, range);
        return new IlgpuEmbeddingTable(source.Name, source.Rows, source.RowLength, source.DType, range);
    }

    public override RopeTable LoadRope(RopeFrequencies frequencies)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(frequencies.MaxPositions, 1);
        var pairs = frequencies.InverseFrequencies.Length;
        var values = new float[checked(2 * pairs * frequencies.MaxPositions)];
        for (var position = 0; position < frequencies.MaxPositions; position++)
        {
            var row = values.AsSpan(2 * pairs * position, 2 * pairs);
            for (var i = 0; i < pairs; i++)
            {
                var (sin, cos) = Math.SinCos((double)position * frequencies.InverseFrequencies[i]);
                row[i] = (float)(cos * frequencies.AttentionScale);
                row[pairs + i] = (float)(sin * frequencies.AttentionScale);
            }
        }

        var range = _arena.Take("rope", (long)values.Length * sizeof(float));
        _launcher.Write(range, MemoryMarshal.AsBytes(values.AsSpan()));
        return new IlgpuRopeTable(frequencies, range);
    }

    public override void Linear(Tensor x, LinearWeight weight, Tensor output)
    {
        Require(x, x.Rows, weight.InFeatures);
        Require(output, x.Rows, weight.OutFeatures);

        var wholeQuads = weight.InFeatures % 4 == 0;
        if (_launcher.MatrixCores == MatrixCores.Mfma)
        {
            MultiplyOnMatrixCores(x, (IlgpuLinear)weight, output);
            return;
        }

        var rowWaves = RowWavesFor(weight, x.Rows);
        foreach (var section in ((IlgpuLinear)weight).Sections)
        {
            if (section.IsOnWarps)
            {
                MultiplyOnWarps(x, weight, section, output);
                continue;
            }

            _launcher.Launch(
                LinearKernels.Of(section.Format, wholeQuads, experts: false), GridOf(section.Padded, x.Rows, rowWaves), x, section.Codes,
                section.Tables, section.Groups, section.Bias, output, x.Rows, weight.InFeatures, section.Pieces, section.Outputs,
                section.Padded, section.FirstOutput, weight.OutFeatures, rowWaves);
        }
    }

    public override void GatedLinear(Tensor x, LinearWeight weight, Activation activation, Tensor gateUp, Tensor output)
    {
        var half = weight.OutFeatures / 2;
        Require(x, x.Rows, weight.InFeatures);
        Require(gateUp, x.Rows, 2 * half);
        Require(output, x.Rows, half);
        var isMfma = _launcher.MatrixCores == MatrixCores.Mfma;
        if (((IlgpuLinear)weight).Sections is not [var section] || weight.InFeatures % 4 != 0
            || ((isMfma || section.IsOnWarps) && (x.Rows > MatrixCoreRows || half % Kernels.Linear.Panel != 0)))
        {
            base.GatedLinear(x, weight, activation, gateUp, output);
            return;
        }

        if (isMfma || section.IsOnWarps)
        {
            _launcher.Launch(
                isMfma
                    ? MatrixKernels.Gated(section.Format, _options.RoundsActivations)
                    : WarpKernels.Gated(section.Format, _options.RoundsActivations, WarpTilesOf(x.Rows)),
                new GridSize(half / Kernels.Linear.Panel), x, section.Codes, section.Tables, section.Groups, section.Bias, output, x.Rows,
                weight.InFeatures, section.Pieces, half, section.Padded, (int)activation);
            return;
        }

        var rowWaves = RowWavesFor(weight, x.Rows);
        _launcher.Launch(
            LinearKernels.Gated(section.Format), GridOf(half, x.Rows, rowWaves), x, section.Codes, section.Tables, section.Groups,
            section.Bias, output, x.Rows, weight.InFeatures, section.Pieces, half, section.Padded, (int)activation, rowWaves);
    }

    private GridSize GridOf(int outputs, int rows, int rowWaves) => new(
        GridSize.Groups(outputs, Wave.Lanes * (_launcher.Waves / rowWaves)), GridSize.Groups(rows, Kernels.Linear.Rows * rowWaves));

    private LinearSection Section(string name, WeightFormat format, int firstOutput, int outputs, int inFeatures, long tableWords)
    {
        var pieces = GridSize.Groups(inFeatures, format.Elements);
        var padded = LinearSection.PaddedOf(outputs);
        return new LinearSection(
            format, firstOutput, outputs, pieces,
            _arena.Take(name, 16L * pieces * padded + SlackOf(format)),
            tableWords == 0 ? _nothing : _arena.Take(name, sizeof(uint) * tableWords),
            format.IsGrouped ? _arena.Take(name, (long)sizeof(int) * pieces * format.Elements) : _nothing,
            _arena.Take(name, (long)sizeof(float) * padded),
            _launcher.MatrixCores == MatrixCores.Mma && WarpKernels.Takes(format, _options.RoundsActivations));
    }

    /// <summary>Bytes behind codes that <see cref="TileLinear"/> may read: a multiple of pieces.</summary>
    private static long SlackOf(WeightFormat format) =>
        MatrixKernels.TileTermsOf(format, rounds: true) > 0 ? 16L * TileLinear.Slack * Wave.Lanes : 0;
}
