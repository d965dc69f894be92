using System.Collections.Immutable;
using System.Numerics;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>Mixtures of experts: all experts of a layer in one launch.</content>
internal sealed partial class IlgpuBackend
{
    private Scratchpad _routed;
    private Scratchpad _starts;
    private Scratchpad _order;
    private Scratchpad _tiles;

    /// <summary>The choice that <see cref="_order"/> and <see cref="_tiles"/> are of, and in what tiles: the layers of one mixture follow
    /// each other and need it sorted once. Whatever writes choices forgets it.</summary>
    private (MemoryRange Experts, int Count, int TileRows) _sorted;

    public override ExpertWeights LoadExperts(string name, IReadOnlyList<LinearWeight> experts)
    {
        var layers = experts.Cast<IlgpuLinear>().ToArray();
        var sections = ImmutableArray.CreateBuilder<LinearSection>();
        for (var i = 0; i < layers[0].Sections.Length; i++)
        {
            var ofAll = layers.Select(layer => layer.Sections.Length == layers[0].Sections.Length ? layer.Sections[i] : null).ToArray();
            var first = ofAll[0]!;

            // One expert with scattered groups makes the kernel for them the kernel of all: it reads the others just as well.
            var format = ofAll.FirstOrDefault(section => section?.Format.IsScattered == true)?.Format ?? first.Format;
            if (ofAll.Any(section => section is null
                || section.Format with { IsScattered = format.IsScattered } != format
                || (section.FirstOutput, section.Outputs, section.Pieces) != (first.FirstOutput, first.Outputs, first.Pieces)
                || section.Tables.Bytes != first.Tables.Bytes))
            {
                throw new NotSupportedException($"'{name}': the experts are quantized in different ways, and are multiplied together");
            }

            MemoryRange Stacked(Func<LinearSection, MemoryRange> part)
            {
                if (part(first) == _nothing)
                {
                    return _nothing;
                }

                var bytes = part(first).Bytes;
                var all = _arena.Take(name, bytes * layers.Length);
                for (var expert = 0; expert < layers.Length; expert++)
                {
                    _launcher.Copy(part(ofAll[expert]!), all.Slice(expert * bytes, bytes));
                    _arena.Return(part(ofAll[expert]!));
                }

                return all;
            }

            sections.Add(first with
            {
                Format = format,
                Codes = Stacked(section => section.Codes),
                Tables = Stacked(section => section.Tables),
                Groups = Stacked(section => section.Groups),
                Bias = Stacked(section => section.Bias),
            });
        }

        return new IlgpuExperts(name, experts, sections.ToImmutable());
    }

    public override void RouteToExperts(Tensor logits, in ExpertRouting routing, Tensor? correction, Tensor experts, Tensor weights)
    {
        routing.Check(logits, correction, experts);
        Require(weights, experts.Rows, experts.Columns);
        Require(logits, experts.Rows, logits.Columns);
        _sorted = default;
        _launcher.Launch(
            BackendKernels.Route, new GridSize(logits.Rows), logits,
            correction is { } added ? RangeOf(added, DType.F32, logits.Columns) : _nothing,
            RangeOf(experts, DType.I32, experts.Rows * experts.Columns), weights, logits.Columns, experts.Columns, (int)routing.Scoring,
            routing.ComparesLogits(correction is not null), correction is not null, routing.Groups, routing.GroupsChosen,
            (int)routing.GroupScore, routing.DividesBySum, routing.MinSum, routing.Scale,
            routing.Jitter);
    }

    public override void Route(
        Tensor x, LinearWeight router, Tensor logits, in ExpertRouting routing, Tensor? correction, Tensor experts, Tensor weights)
    {
        // In prompts already, which come first: memory that is new drops the graphs of decode steps.
        if (Scratch(ref _routed, "groups of routers", sizeof(uint) * MatrixCoreRows))
        {
            _launcher.Clear(_routed.Memory);
        }

        if (((IlgpuLinear)router).Sections is not [{ Format.Kind: WeightKind.Plain } section] || router.InFeatures % 4 != 0
            || x.Rows > MatrixCoreRows || x.Rows == 0)
        {
            base.Route(x, router, logits, routing, correction, experts, weights);
            return;
        }

        routing.Check(logits, correction, experts);
        Require(x, x.Rows, router.InFeatures);
        Require(logits, x.Rows, router.OutFeatures);
        Require(weights, x.Rows, experts.Columns);
        _sorted = default;

        var added = correction is { } one ? RangeOf(one, DType.F32, logits.Columns) : _nothing;
        var chosen = RangeOf(experts, DType.I32, x.Rows * experts.Columns);
        if (_launcher.MatrixCores == MatrixCores.Mfma || section.IsOnWarps)
        {
            _launcher.Launch(
                section.IsOnWarps
                    ? WarpKernels.Router(section.Format, _options.RoundsActivations)
                    : MatrixKernels.Router(section.Format, _options.RoundsActivations),
                new GridSize(GridSize.Groups(section.Outputs, Kernels.Linear.Panel)), x, section.Codes, section.Tables, section.Groups,
                section.Bias, logits, added, chosen, weights, _routed.Memory, x.Rows, router.InFeatures, section.Pieces, section.Outputs,
                section.Padded, experts.Columns, (int)routing.Scoring, routing.ComparesLogits(correction is not null),
                correction is not null, routing.Groups, routing.GroupsChosen, (int)routing.GroupScore, routing.DividesBySum, routing.MinSum,
                routing.Scale, routing.Jitter);
            return;
        }

        var rowWaves = RowWavesFor(router, x.Rows);
        _launcher.Launch(
            LinearKernels.Router(section.Format), GridOf(section.Padded, x.Rows, rowWaves), x, section.Codes, section.Tables,
            section.Groups, section.Bias, logits, added, chosen, weights, _routed.Memory, x.Rows, router.InFeatures, section.Pieces,
            section.Outputs, section.Padded, rowWaves, experts.Columns, (int)routing.Scoring,
            routing.ComparesLogits(correction is not null), correction is not null, routing.Groups, routing.GroupsChosen,
            (int)routing.GroupScore, routing.DividesBySum, routing.MinSum, routing.Scale, routing.Jitter);
    }

    public override void ExpertLinear(Tensor x, Tensor experts, ExpertWeights weights, Tensor output)
    {
        var routed = checked(experts.Rows * experts.Columns);
        if (x.Rows != experts.Rows && x.Rows != routed)
        {
            throw new ArgumentException($"{x} given where {experts.Rows} or {routed} rows are needed");
        }

        Require(x, x.Rows, weights.InFeatures);
        Require(output, routed, weights.OutFeatures);
        var count = weights.Experts.Count;
        var choice = RangeOf(experts, DType.I32, routed);
        foreach (var section in ((IlgpuExperts)weights).Sections)
        {
            var tileRows = TileRows(section, weights.InFeatures, routed / count);
            var maxTiles = Math.Min(routed, GridSize.Groups(routed, tileRows) + count);
            RoomForTiles(routed, count, maxTiles);
            if (_sorted != (choice, count, tileRows))
            {
                _launcher.Launch(
                    BackendKernels.Sort, new GridSize(1), choice, _starts.Memory, _order.Memory, _tiles.Memory, routed, count,
                    tileRows, maxTiles);
                _sorted = (choice, count, tileRows);
            }

            MultiplyTiles(x, weights, section, tileRows, maxTiles, routed / Math.Max(1, x.Rows), output);
        }
    }

    public override void HeadLinear(Tensor x, ExpertWeights heads, Tensor output)
    {
        var (tokens, count) = (x.Rows, heads.Experts.Count);
        Require(x, tokens, count * heads.InFeatures);
        Require(output, tokens, count * heads.OutFeatures);
        var routed = checked(tokens * count);
        var sorted = 0;
        _sorted = default;
        foreach (var section in ((IlgpuExperts)heads).Sections)
        {
            var tileRows = TileRows(section, heads.InFeatures, tokens);
            var maxTiles = count * GridSize.Groups(tokens, tileRows);
            RoomForTiles(routed, count, maxTiles);
            if (sorted != tileRows)
            {
                _launcher.Launch(
                    BackendKernels.SortByHead, new GridSize(GridSize.Groups(routed, Wave.Lanes)), _order.Memory, _tiles.Memory, tokens,
                    count, tileRows);
                sorted = tileRows;
            }

            MultiplyTiles(x, heads, section, tileRows, maxTiles, rowsPerInput: 1, output);
        }
    }

    /// <summary>Rows that a kernel multiplies with the weights it reads once.</summary>
    /// <param name="rows">Of an expert, about.</param>
    private int TileRows(LinearSection section, int inFeatures, int rows) =>
        section.IsOnWarps ? WarpMatrix.Rows * WarpTilesOfExperts(inFeatures, rows)
        : _launcher.MatrixCores != MatrixCores.Mfma ? Kernels.Linear.Rows
        : rows > 2 * MatrixCoreRows && inFeatures % 4 == 0 ? 4 * MatrixCoreRows : MatrixCoreRows;

    private void RoomForTiles(int routed, int count, int maxTiles)
    {
        Scratch(ref _starts, "expert starts", sizeof(int) * 2L * (count + 1));
        Scratch(ref _order, "expert rows", sizeof(int) * (long)routed);
        Scratch(ref _tiles, "expert tiles", sizeof(int) * 3L * maxTiles);
    }

    /// <param name="rowsPerInput">Routed rows that share a row of <paramref name="x"/>.</param>
    private void MultiplyTiles(
        Tensor x, ExpertWeights weights, LinearSection section, int tileRows, int maxTiles, int rowsPerInput, Tensor output)
    {
        var count = weights.Experts.Count;
        var (isMatrix, isOnWarps) = (_launcher.MatrixCores == MatrixCores.Mfma, section.IsOnWarps);
        var rounds = _options.RoundsActivations;
        var wholeQuads = weights.InFeatures % 4 == 0;
        var input = wholeQuads ? typeof(QuadInput) : typeof(AnyInput);
        var kernel = isOnWarps ? WarpKernels.OfExperts(section.Format, input, rounds, tileRows / WarpMatrix.Rows)
            : isMatrix ? MatrixKernels.Of(section.Format, input, rounds, tileRows / MatrixCoreRows, experts: true)
            : LinearKernels.Of(section.Format, wholeQuads, experts: true);
        var groups = isOnWarps || isMatrix
            ? GridSize.Groups(section.Outputs, Kernels.Linear.Panel)
            : GridSize.Groups(section.Padded, Wave.Lanes * _launcher.Waves);
        _launcher.Launch(
            kernel, new GridSize(groups, maxTiles), x, section.Codes, section.Tables, section.Groups, section.Bias, _tiles.Memory,
            _order.Memory, output, weights.InFeatures, section.Pieces, section.Outputs, section.Padded, section.FirstOutput,
            weights.OutFeatures, rowsPerInput, (int)(section.Codes.Bytes / 16 / count),
            (int)(section.Tables.Bytes / sizeof(uint) / count), (int)(section.Groups.Bytes / sizeof(int) / count));
    }

    public override void SumExperts(Tensor x, Tensor? weights, Tensor output)
    {
        var chosen = x.Rows / Math.Max(1, output.Rows);
        Require(x, output.Rows * chosen, output.Columns);
        Require(weights ?? x, output.Rows * (weights is null ? chosen : 1), weights is null ? output.Columns : chosen);
        _launcher.Launch(
            BackendKernels.SumExperts, Pieces(output), x, weights ?? x, output, output.Columns, chosen, weights is not null);
    }

    /// <summary>Makes room for so many bytes.</summary>
    /// <remarks>Memory moves where more is asked for than ever before, and graphs are forgotten then even if the device does not have it:
    /// ranks, which ask for the same, capture and replay the same steps.</remarks>
    /// <returns>Whether it is new memory, contents undefined.</returns>
    private bool Scratch(ref Scratchpad pad, string name, long bytes)
    {
        if (bytes > pad.AskedBytes)
        {
            pad.AskedBytes = (long)BitOperations.RoundUpToPowerOf2((ulong)bytes);
            pad.Refusal = null;
            ForgetGraphs();
            if (pad.Memory.Memory is not null)
            {
                _arena.Return(pad.Memory);
                pad.Memory = default;
            }
        }

        if (pad.Memory.Memory is null)
        {
            if (pad.Refusal is { } refusal)
            {
                throw new InsufficientMemoryException(refusal);
            }

            try
            {
                pad.Memory = _arena.Take(name, pad.AskedBytes);
                return true;
            }
            catch (InsufficientMemoryException exception)
            {
                pad.Refusal = exception.Message;
                throw;
            }
        }

        return false;
    }
}
