using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Keys and values on their way from the cache to the shared memory of <see cref="WarpAttention"/>: a thread reads its share of
/// the next tile while the one before is multiplied, and decodes it when that is done.</summary>
/// <remarks>
/// A unit is eight elements of a token, an octet. A thread of the 256 has octets of one token's key and of two neighbouring tokens' values;
/// for heads of up to 64 elements one of a key, and half of the threads have none of values.
/// <code>
/// keys:   piece of token t, octet o           at octets·t + (o xor key(t)), key(t) = bits 0, 2, 1 of t
/// values: piece of element e, eight tokens n  at 4·(e xor (e / 8) mod 2) + n
/// </code>
/// A lane multiplies with octet 4·s + lane % 4 of eight tokens' keys, and with tokens 8·(lane % 4) and on of eight elements' values. So
/// eight lanes that load together meet in no bank, nor do those that store.
/// </remarks>
internal static class WarpCacheTiles
{
    /// <summary>Pieces of a term of a tile's keys, and of its values.</summary>
    public static int Pieces<TTiles>()
        where TTiles : struct, IHeadTiles => WarpAttention.TileTokens * Octets<TTiles>();

    /// <summary>Where an octet of a key lies.</summary>
    public static int KeyAt(int token, int octet, int octets) => octets * token + (octet ^ (((token & 1) << 2) | ((token >> 1) & 3)));

    /// <summary>Where eight tokens' values of an element lie.</summary>
    public static int ValueAt(int element, int tokens) => 4 * (element ^ ((element >> 3) & 1)) + tokens;

    /// <summary>Reads a thread's share of a tile; what no row sees, or no head has, is 0: blocks may hold anything there.</summary>
    public static Staged Read<TCache, TTiles>(CachePages pages, int tile, int seen, int end)
        where TCache : struct, ICacheTerms
        where TTiles : struct, IHeadTiles
    {
        Staged staged = default;
        var token = tile + TokenOfThread;
        var octet = OctetOfThread;
        if (token >= seen && token < end)
        {
            var block = token / pages.BlockSize;
            var at = pages.NumberOf(block) * pages.Pieces * pages.BlockSize + (token - block * pages.BlockSize);
            staged.Key0 = Read<TCache>(pages.Keys, at, pages.BlockSize, octet, pages.Pieces);
            if (default(TTiles).Count > 4)
            {
                staged.Key1 = Read<TCache>(pages.Keys, at, pages.BlockSize, octet + Octets<TTiles>() / 2, pages.Pieces);
            }
        }

        token = tile + 2 * PairOfThread;
        octet = OctetOfPair;
        if (octet < Octets<TTiles>())
        {
            staged.Value0 = ReadValue<TCache>(pages, token, seen, end, octet);
            staged.Value1 = ReadValue<TCache>(pages, token + 1, seen, end, octet);
        }

        return staged;
    }

    /// <summary>Decodes it to shared memory.</summary>
    public static void Write<TCache, TTiles>(Staged staged, ArrayView<UInt4> keyTile, ArrayView<UInt4> valueTile)
        where TCache : struct, ICacheTerms
        where TTiles : struct, IHeadTiles
    {
        var token = TokenOfThread;
        var octet = OctetOfThread;
        WriteKey<TCache, TTiles>(staged.Key0, keyTile, token, octet);
        if (default(TTiles).Count > 4)
        {
            WriteKey<TCache, TTiles>(staged.Key1, keyTile, token, octet + Octets<TTiles>() / 2);
        }

        octet = OctetOfPair;
        if (octet < Octets<TTiles>())
        {
            var words = valueTile.Cast<uint>();
            var first = default(TCache).Split(staged.Value0.Low, staged.Value0.High, octet);
            var second = default(TCache).Split(staged.Value1.Low, staged.Value1.High, octet);
            WriteValues(first.A, second.A, words, PairOfThread, octet);
            if (default(TCache).Count > 1)
            {
                WriteValues(first.B, second.B, words.SubView(4 * Pieces<TTiles>()), PairOfThread, octet);
            }

            if (default(TCache).Count > 2)
            {
                WriteValues(first.C, second.C, words.SubView(8 * Pieces<TTiles>()), PairOfThread, octet);
            }
        }
    }

    private static int Thread => Group.IdxY * Wave.Lanes + Group.IdxX;

    // A thread's share: see WarpMatrix.Lane on masks.
    private static int TokenOfThread => Thread & (WarpAttention.TileTokens - 1);

    private static int OctetOfThread => Thread >> 5;

    /// <summary>Of neighbouring tokens.</summary>
    private static int PairOfThread => Thread & (WarpAttention.TileTokens / 2 - 1);

    private static int OctetOfPair => Thread >> 4;

    private static int Octets<TTiles>()
        where TTiles : struct, IHeadTiles => 2 * default(TTiles).Count;

    private static Octet ReadValue<TCache>(CachePages pages, int token, int seen, int end, int octet)
        where TCache : struct, ICacheTerms
    {
        Octet value = default;
        if (token >= seen && token < end)
        {
            var block = token / pages.BlockSize;
            var at = (pages.NumberOf(block) * pages.BlockSize + (token - block * pages.BlockSize)) * pages.Pieces;
            value = Read<TCache>(pages.Values, at, 1, octet, pages.Pieces);
        }

        return value;
    }

    /// <param name="at">Where a token's first piece is.</param>
    /// <param name="step">From a piece to the next.</param>
    private static Octet Read<TCache>(ArrayView<UInt4> from, long at, int step, int octet, int pieces)
        where TCache : struct, ICacheTerms
    {
        var elements = default(TCache).Elements;
        var piece = elements == 4 ? 2 * octet : elements == 8 ? octet : octet / 2;
        Octet read = default;
        if (piece < pieces)
        {
            read.Low = from[at + (long)piece * step];
        }

        if (elements == 4 && piece + 1 < pieces)
        {
            read.High = from[at + (long)(piece + 1) * step];
        }

        return read;
    }

    private static void WriteKey<TCache, TTiles>(Octet key, ArrayView<UInt4> keyTile, int token, int octet)
        where TCache : struct, ICacheTerms
        where TTiles : struct, IHeadTiles
    {
        var terms = default(TCache).Split(key.Low, key.High, octet);
        var at = KeyAt(token, octet, Octets<TTiles>());
        keyTile[at] = terms.A;
        if (default(TCache).Count > 1)
        {
            keyTile[at + Pieces<TTiles>()] = terms.B;
        }

        if (default(TCache).Count > 2)
        {
            keyTile[at + 2 * Pieces<TTiles>()] = terms.C;
        }
    }

    /// <summary>Two tokens' values, so that those of one element share a word.</summary>
    private static void WriteValues(UInt4 first, UInt4 second, ArrayView<uint> words, int pair, int octet)
    {
        var even = 4 * ValueAt(8 * octet, 0) + pair;
        var odd = 4 * ValueAt(8 * octet + 1, 0) + pair;
        words[even] = Lower(first.X, second.X);
        words[odd] = Upper(first.X, second.X);
        words[even + 32] = Lower(first.Y, second.Y);
        words[odd + 32] = Upper(first.Y, second.Y);
        words[even + 64] = Lower(first.Z, second.Z);
        words[odd + 64] = Upper(first.Z, second.Z);
        words[even + 96] = Lower(first.W, second.W);
        words[odd + 96] = Upper(first.W, second.W);
    }

    private static uint Lower(uint first, uint second) => (first & 0xffffu) | (second << 16);

    private static uint Upper(uint first, uint second) => (first >> 16) | (second & 0xffff0000u);

    /// <summary>The pieces that have an octet.</summary>
    internal struct Octet
    {
        public UInt4 Low;
        public UInt4 High;
    }

    /// <summary>A thread's octets on their way.</summary>
    internal struct Staged
    {
        public Octet Key0;
        public Octet Key1;
        public Octet Value0;
        public Octet Value1;
    }
}

/// <summary>The pages of a sequence that have the keys and values of a head.</summary>
internal readonly struct CachePages(
    ArrayView<UInt4> keys, ArrayView<UInt4> values, ArrayView<int> blockTables, long table, int kvHead, int kvHeads, int pieces,
    int blockSize)
{
    public readonly ArrayView<UInt4> Keys = keys;
    public readonly ArrayView<UInt4> Values = values;
    public readonly ArrayView<int> BlockTables = blockTables;
    public readonly long Table = table;
    public readonly int KvHead = kvHead;
    public readonly int KvHeads = kvHeads;
    public readonly int Pieces = pieces;
    public readonly int BlockSize = blockSize;

    /// <summary>Where in the cache a block of the sequence is, of this head.</summary>
    public long NumberOf(int block) => (long)BlockTables[Table + block] * KvHeads + KvHead;
}
