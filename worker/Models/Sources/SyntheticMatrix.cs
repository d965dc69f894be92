using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace Cluster.Worker.Models.Sources;

/// <summary>Random numbers in BF16 of one tensor of a <see cref="SyntheticModel"/>. Rows are drawn one by one, each from a state of its
/// own, so that several threads draw them, and whoever repacks them need not keep them all.</summary>
internal sealed unsafe class SyntheticMatrix(string name, ImmutableArray<int> shape)
{
    /// <summary>Weights are uniform within ± this; their deviation is then the 0.02 of Llama's initializer.</summary>
    public const float Amplitude = 0.0346f;

    /// <summary>Numbers that are worth a thread.</summary>
    private const int Worthwhile = 1 << 16;

    private readonly ulong _seed = Hash(name);

    public int Rows => shape.Length == 1 ? 1 : shape[0];

    public int Columns => shape[^1];

    /// <summary>A norm, whose weights are all 1.</summary>
    private bool IsNorm => shape.Length == 1;

    /// <summary>Writes all rows, one after another.</summary>
    public void Write(nint address) =>
        ForRows((row, values) => values.CopyTo(new Span<ushort>((ushort*)address + (long)row * Columns, Columns)));

    /// <summary>Hands out every row once, on several threads.</summary>
    public void ForRows(RowAction take)
    {
        if ((long)Rows * Columns < Worthwhile)
        {
            Take(0, Rows);
            return;
        }

        var chunk = Math.Max(1, Worthwhile / Columns);
        var chunks = (Rows + chunk - 1) / chunk;
        System.Threading.Tasks.Parallel.For(0, chunks, index => Take(index * chunk, Math.Min(Rows, (index + 1) * chunk)));

        void Take(int from, int to)
        {
            var values = new ushort[Columns];
            for (var row = from; row < to; row++)
            {
                Draw(row, values);
                take(row, values);
            }
        }
    }

    /// <summary>The bits of one row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Draw(int row, Span<ushort> values)
    {
        if (IsNorm)
        {
            values.Fill(BFloat16Bits(1));
            return;
        }

        var state = Mixed(_seed + (ulong)row);
        foreach (ref var value in values)
        {
            value = BFloat16Bits(Uniform(ref state) * Amplitude);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widened(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>A number in [-1, 1), by xorshift64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Uniform(ref ulong state)
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (int)(state >> 32) * (1f / (1L << 31));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort BFloat16Bits(float value) => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);

    /// <summary>FNV-1a.</summary>
    private static ulong Hash(string name)
    {
        var hash = 14695981039346656037UL;
        foreach (var character in name)
        {
            hash = (hash ^ character) * 1099511628211UL;
        }

        return hash;
    }

    /// <summary>SplitMix64's output function, which sets neighbours far apart; never 0, from which xorshift does not move.</summary>
    private static ulong Mixed(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9UL;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EBUL;
        return (value ^ (value >> 31)) | 1;
    }
}

/// <summary>Takes a row's bits, which are valid until it returns.</summary>
internal delegate void RowAction(int row, ReadOnlySpan<ushort> values);
