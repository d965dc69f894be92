namespace Cluster.Worker.Tokenization.Models;

/// <summary>BPE's merge table: which two adjacent tokens join, into what, and how early.</summary>
internal sealed class Merges
{
    // Of Gemma's 262 144 tokens it is thirteen millions.
    private const long MaxWork = 1L << 30;

    private readonly Dictionary<ulong, Merge> _table;

    public Merges(int capacity) => _table = new Dictionary<ulong, Merge>(capacity);

    /// <param name="Rank">Position in the file; lower joins first.</param>
    /// <param name="Id">The joined token.</param>
    public readonly record struct Merge(int Rank, int Id);

    /// <summary>A pair listed twice keeps its later rank, as in Hugging Face tokenizers.</summary>
    public void Add(int left, int right, Merge merge) => _table[Key(left, right)] = merge;

    public bool TryGet(int left, int right, out Merge merge) => _table.TryGetValue(Key(left, right), out merge);

    // ulong hashes to the exclusive or of its halves, which is 0 for every pair of equal ids, the very pairs long runs are made of.
    // Multiplication by an odd number (the golden ratio's) is one to one and spreads them.
    private static ulong Key(int left, int right) => (((ulong)(uint)left << 32) | (uint)right) * 0x9E3779B97F4A7C15;

    /// <summary>The id of a piece, or of a character that is a part of pieces alone.</summary>
    public delegate bool SymbolLookup(ReadOnlySpan<char> text, out int symbol);

    /// <summary>The table of a vocabulary that comes without one, as those of tiktoken and SentencePiece do: any two symbols join that
    /// together are a token.</summary>
    /// <param name="file">For messages.</param>
    /// <exception cref="TokenizerFormatException">The tokens are so long that finding their parts takes too much time.</exception>
    public static Merges OfTokens(string file, IReadOnlyCollection<KeyValuePair<string, Merge>> tokens, SymbolLookup lookup)
    {
        Merges merges = new(tokens.Count);
        long work = 0;
        foreach ((var text, var merge) in tokens)
        {
            work += (long)text.Length * text.Length;
            if (work > MaxWork)
            {
                throw new TokenizerFormatException(
                    $"{file}: its tokens are too long: the sum of their squared lengths exceeds {MaxWork}; published ones stay far below");
            }
            for (var cut = 1; cut < text.Length; cut++)
            {
                if (!char.IsLowSurrogate(text[cut]) && lookup(text.AsSpan(0, cut), out var left) && lookup(text.AsSpan(cut), out var right))
                {
                    merges.Add(left, right, merge);
                }
            }
        }
        return merges;
    }
}
