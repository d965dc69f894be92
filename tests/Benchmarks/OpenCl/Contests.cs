using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Benchmarks.OpenCl;

/// <summary>An operation of the backend, and the same by hand. Both compute with zeros: that takes as long.</summary>
/// <param name="Own">Enqueues it.</param>
/// <param name="ByHand">Does it and waits.</param>
internal sealed record Contest(string Name, Action Own, Action ByHand);

/// <summary>What <see cref="OpenClBenchmark"/> compares: the kernels of a decode step and of a prefill.</summary>
internal static class Contests
{
    private const int Features = 2048;
    private const int Rows = 256;
    private const int Heads = 16;
    private const int KvHeads = 4;
    private const int HeadDim = 128;
    private const int BlockSize = 16;

    public static IEnumerable<Contest> All(IlgpuBackend backend, HandWritten hand) =>
    [
        .. Linears(backend, hand), .. OfRows(backend, hand), .. Attention(backend, hand), .. Experts(backend, hand),
    ];

    private static IEnumerable<Contest> Linears(IlgpuBackend backend, HandWritten hand)
    {
        LinearWeight plain = Plain(backend, Features), gateUp = Plain(backend, 2 * Features);
        var grouped = backend.LoadLinear("w4", [new ZeroNibbles(Features, Features)]);
        nint codes = hand.Allocate(2L * 2 * Features * Features), codes4 = hand.Allocate((long)Features * Features / 2);
        nint tables = hand.Allocate(4L * Features * (Features / ZeroNibbles.GroupLength)), groups = hand.Allocate(4L * Features);
        foreach (var rows in (int[])[1, 4, 16, 64])
        {
            var rowWaves = rows <= 4 ? 1 : 4;
            Tensor x = Floats(backend, rows, Features), y = Floats(backend, rows, Features), between = Floats(backend, rows, 2 * Features);
            nint input = hand.Allocate(4L * rows * Features), output = hand.Allocate(4L * rows * Features);
            var (groupsX, groupsY) = (Features / 64 / (4 / rowWaves), (rows + 4 * rowWaves - 1) / (4 * rowWaves));
            yield return new(
                $"linear bf16 {Features}x{Features} x{rows}", () => backend.Linear(x, plain, y),
                hand.Prepare("linear", 4, groupsX, groupsY, [input, codes, output], rows, Features, Features, rowWaves));
            yield return new(
                $"linear 4 bits {Features}x{Features} x{rows}", () => backend.Linear(x, grouped, y),
                hand.Prepare(
                    "linear4", 4, groupsX, groupsY, [input, codes4, tables, groups, output], rows, Features, Features, rowWaves));
            if (rows <= 16)
            {
                yield return new(
                    $"gate, up, silu {Features}x{Features} x{rows}", () => backend.GatedLinear(x, gateUp, Activation.Silu, between, y),
                    hand.Prepare("gated", 4, groupsX, groupsY, [input, codes, output], rows, Features, Features, rowWaves));
            }
        }
    }

    private static IEnumerable<Contest> OfRows(IlgpuBackend backend, HandWritten hand)
    {
        Tensor wide = Floats(backend, Rows, 2 * Features), narrow = Floats(backend, Rows, Features), scales = Floats(backend, 1, Features);
        nint wideByHand = hand.Allocate(8L * Rows * Features), first = hand.Allocate(4L * Rows * Features);
        nint second = hand.Allocate(4L * Rows * Features), vector = hand.Allocate(4L * Features), ids = hand.Allocate(4L * Rows);
        yield return new(
            $"silu and gate {Rows}x{Features}", () => backend.GatedActivation(wide, Activation.Silu, narrow),
            hand.Prepare("gate", 1, Features / 256, Rows, [wideByHand, first], Features));
        yield return new(
            $"rms norm {Rows}x{Features}", () => backend.RmsNorm(narrow, scales, 1e-5f, narrow),
            hand.Prepare("rms", 4, Rows, 1, [first, vector, second], Features, 1e-5f));
        yield return new(
            $"layer norm {Rows}x{Features}", () => backend.LayerNorm(narrow, scales, scales, 1e-5f, narrow),
            hand.Prepare("layer", 4, Rows, 1, [first, vector, vector, second], Features, 1e-5f));
        var headNorm = Floats(backend, 1, HeadDim);
        yield return new(
            $"rms norm of heads {Rows}x{Features}", () => backend.RmsNormHeads(narrow, 0, Features / HeadDim, headNorm, 1e-5f),
            hand.Prepare("heads", 1, Features / HeadDim, Rows, [first, vector], HeadDim, 1e-5f));
        var other = Floats(backend, Rows, Features);
        yield return new(
            $"add {Rows}x{Features}", () => backend.Add(narrow, other),
            hand.Prepare("add", 1, Rows * Features / 256, 1, [first, second], Rows * Features));
        var table = backend.LoadEmbedding(Host(DType.BF16, 1000, Features));
        var tokens = backend.Allocate("ids", DType.I32, Rows, 1);
        yield return new(
            $"embedding bf16 {Rows}x{Features}", () => backend.Embed(tokens, table, narrow),
            hand.Prepare("embed", 1, Features / 256, Rows, [ids, hand.Allocate(2L * 1000 * Features), first], Features));
    }

    /// <summary>Eight sequences of which each has one new token.</summary>
    private static IEnumerable<Contest> Attention(IlgpuBackend backend, HandWritten hand)
    {
        const int Sequences = 64, Context = 240, Blocks = Context / BlockSize, Columns = (Heads + 2 * KvHeads) * HeadDim;
        var cache = backend.AllocateKvCache(new KvCacheLayout(1, KvHeads, HeadDim, BlockSize, Sequences * Blocks, DType.BF16));
        Tensor Integers(IEnumerable<int> values)
        {
            int[] all = [.. values];
            var tensor = backend.Allocate("integers", DType.I32, all.Length, 1);
            backend.Upload(all, tensor);
            return tensor;
        }

        var each = Enumerable.Range(0, Sequences);
        var inputs = new AttentionInputs(
            Integers(each.Select(_ => Context - 1)), Integers(each.Select(i => i * Context + Context - 1)),
            Integers(Enumerable.Range(0, Sequences + 1)), Integers(each.Select(_ => Context)),
            Integers(Enumerable.Range(0, Sequences * Blocks)) with { Rows = Sequences, Columns = Blocks }, 1, Context);
        Tensor qkv = Floats(backend, Sequences, Columns), output = Floats(backend, Sequences, Heads * HeadDim);
        var rope = backend.LoadRope(new RopeFrequencies([.. Enumerable.Range(1, HeadDim / 2).Select(i => 1f / i)], 1, Context));
        nint qkvByHand = hand.Allocate(4L * Sequences * Columns), table = hand.Allocate(4L * Context * HeadDim);
        var keys = hand.Allocate(2L * Sequences * Context * KvHeads * HeadDim);
        var values = hand.Allocate(2L * Sequences * Context * KvHeads * HeadDim);
        var positions = hand.Allocate([.. each.Select(_ => Context - 1)]);
        var slots = hand.Allocate([.. each.Select(i => i * Context + Context - 1)]);
        var tables = hand.Allocate([.. Enumerable.Range(0, Sequences * Blocks)]);
        yield return new(
            $"rope and cache bf16 x{Sequences}", () => backend.RopeAndCache(qkv, rope, inputs, cache, 0),
            hand.Prepare(
                "rope", 1, Heads + 2 * KvHeads, Sequences, [qkvByHand, table, positions, slots, keys, values], Heads, KvHeads, HeadDim,
                BlockSize));
        var settings = new AttentionSettings(Heads, 1 / MathF.Sqrt(HeadDim));
        yield return new(
            $"attention bf16 {Context} tokens x{Sequences}", () => backend.PagedAttention(qkv, inputs, cache, 0, settings, output),
            hand.Prepare(
                "attend", 4, KvHeads, Sequences,
                [qkvByHand, keys, values, positions, tables, hand.Allocate(4L * Sequences * Heads * HeadDim)], Heads, KvHeads, Blocks,
                BlockSize, 1 / MathF.Sqrt(HeadDim)));
    }

    private static IEnumerable<Contest> Experts(IlgpuBackend backend, HandWritten hand)
    {
        const int Count = 64, Chosen = 8;
        Tensor logits = Floats(backend, Rows, Count), weights = Floats(backend, Rows, Chosen);
        var chosen = backend.Allocate("experts", DType.I32, Rows, Chosen);
        var routing = new ExpertRouting(ExpertScoring.Softmax) { Normalize = true };
        var weightsByHand = hand.Allocate(4L * Rows * Chosen);
        yield return new(
            $"choice of {Chosen} of {Count} experts x{Rows}", () => backend.RouteToExperts(logits, routing, null, chosen, weights),
            hand.Prepare(
                "route", 1, Rows, 1, [hand.Allocate(4L * Rows * Count), hand.Allocate(4L * Rows * Chosen), weightsByHand], Count, Chosen));
        Tensor results = Floats(backend, Rows * Chosen, Features), sum = Floats(backend, Rows, Features);
        yield return new(
            $"sum of {Chosen} experts {Rows}x{Features}", () => backend.SumExperts(results, weights, sum),
            hand.Prepare(
                "sum_experts", 1, Features / 256, Rows,
                [hand.Allocate(4L * Rows * Chosen * Features), weightsByHand, hand.Allocate(4L * Rows * Features)], Features, Chosen));
    }

    private static Tensor Floats(IlgpuBackend backend, int rows, int columns) => backend.Allocate("floats", DType.F32, rows, columns);

    private static LinearWeight Plain(IlgpuBackend backend, int outputs) =>
        backend.LoadLinear("w", [Host(DType.BF16, outputs, Features)]);

    private static HostTensor Host(DType dtype, int rows, int columns)
    {
        var bytes = GC.AllocateArray<byte>(rows * columns * dtype.Size(), pinned: true);
        return new HostTensor(
            "w", dtype, ImmutableArray.Create(rows, columns), Marshal.UnsafeAddrOfPinnedArrayElement(bytes, 0), bytes);
    }

    /// <summary>Four-bit codes, a bf16 scale for each group of 128 inputs.</summary>
    private sealed class ZeroNibbles(int outputs, int inputs)
        : GroupedMatrix("w4", outputs, inputs, [.. Enumerable.Range(0, inputs).Select(input => input / GroupLength)])
    {
        public const int GroupLength = 128;

        public override int Bits => 4;

        public override int Groups => InFeatures / GroupLength;

        public override DType ScaleDType => DType.BF16;

        public override float Scale(int group, int output) => 1;

        public override int Zero(int group, int output) => 8;

        public override void ReadCodes(int k, int firstOutput, Span<byte> destination) => destination.Fill(8);
    }
}
