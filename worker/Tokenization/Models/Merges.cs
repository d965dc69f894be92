namespace Cluster.Worker.Tokenization.Models;

/// <summary>BPE's merge table: which two adjacent tokens join, into what, and how early.</summary>
internal sealed class Merges
{
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
}
