namespace Cluster.Worker.Engine;

/// <summary>The KV cache's blocks: who holds each, which are free, and which full ones can be shared as a prefix.
/// Called by <see cref="SequenceBlocks"/>; knows block numbers only, never the cache memory.</summary>
/// <remarks>
/// A block is held by one or more sequences (<c>references</c> above 0) or sits in the free list. A freed block keeps its contents and
/// stays in the index until it is handed out again, so it can still be found and taken back as a prefix hit.
/// <code>
/// free list:  head ⇄ 7 ⇄ 3 ⇄ 12 ⇄ … ⇄ 5 ⇄ head      taken from the left
///                    └ no hash: never    └ freed last, the
///                      a hit, goes first   likeliest hit
/// </code>
/// The list is intrusive (two arrays of links, entry <see cref="NumBlocks"/> is its head), so that a hit leaves the middle in O(1).
/// </remarks>
internal sealed class BlockPool
{
    private readonly int[] _references;
    private readonly int[] _next;
    private readonly int[] _previous;
    private readonly BlockHash[] _hashes;
    private readonly bool[] _indexed;
    private readonly Dictionary<BlockHash, int> _index;

    public BlockPool(int numBlocks, int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numBlocks);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockSize);
        NumBlocks = numBlocks;
        BlockSize = blockSize;
        _references = new int[numBlocks];
        _index = new Dictionary<BlockHash, int>(numBlocks);
        _hashes = new BlockHash[numBlocks];
        _indexed = new bool[numBlocks];
        _next = new int[numBlocks + 1];
        _previous = new int[numBlocks + 1];
        _next[numBlocks] = _previous[numBlocks] = numBlocks;
        for (var block = 0; block < numBlocks; block++)
        {
            Link(block, after: _previous[numBlocks]);
        }
    }

    public int NumBlocks { get; }

    /// <summary>Token slots of a block.</summary>
    public int BlockSize { get; }

    /// <summary>Blocks no sequence holds; some of them may still be prefix hits.</summary>
    public int NumFree { get; private set; }

    public int NumUsed => NumBlocks - NumFree;

    /// <summary>Blocks it takes to hold so many tokens.</summary>
    public int BlocksFor(int tokens) => (tokens + BlockSize - 1) / BlockSize;

    public bool IsFree(int block) => _references[block] == 0;

    /// <summary>Whether more than one sequence holds a block, so that none of them may write it.</summary>
    public bool IsShared(int block) => _references[block] > 1;

    /// <summary>Hands out the least recently used free block; what it held is forgotten.</summary>
    /// <exception cref="InvalidOperationException">No block is free.</exception>
    public int Allocate()
    {
        if (NumFree == 0)
        {
            throw new InvalidOperationException($"all {NumBlocks} KV blocks are in use");
        }

        var block = _next[NumBlocks];
        Unlink(block);
        _references[block] = 1;
        if (_indexed[block])
        {
            _index.Remove(_hashes[block]);
            _indexed[block] = false;
        }

        return block;
    }

    /// <summary>Finds a full block with these contents, in use or free.</summary>
    public bool TryFind(BlockHash hash, out int block) => _index.TryGetValue(hash, out block);

    /// <summary>Adds a holder to a block that another sequence holds or <see cref="TryFind"/> found.</summary>
    public void Share(int block)
    {
        if (_references[block]++ == 0)
        {
            Unlink(block);
        }
    }

    /// <summary>Makes a full block findable. When another block with the same contents already is, that one stays the one to
    /// share.</summary>
    public void Register(int block, BlockHash hash)
    {
        if (_index.TryAdd(hash, block))
        {
            _hashes[block] = hash;
            _indexed[block] = true;
        }
    }

    /// <summary>Gives up the blocks of a sequence's tables and clears them. Its last blocks become reusable first: a prefix is worth most
    /// at its start, and nothing without the blocks of all tables.</summary>
    public void Release(ReadOnlySpan<BlockTable> tables)
    {
        var last = -1;
        foreach (var table in tables)
        {
            last = Math.Max(last, table.Count - 1);
        }

        for (var i = last; i >= 0; i--)
        {
            foreach (var table in tables)
            {
                if (i >= table.First && i < table.Count)
                {
                    Release(table.Blocks[i]);
                }
            }
        }

        foreach (var table in tables)
        {
            table.Clear();
        }
    }

    /// <summary>Takes a holder from a block.</summary>
    public void Release(int block)
    {
        if (--_references[block] == 0)
        {
            Link(block, after: _indexed[block] ? _previous[NumBlocks] : NumBlocks);
        }
    }

    /// <summary>Gives up a table's blocks behind the first ones; they must be the sequence's own, and not offered for sharing.</summary>
    public void Trim(BlockTable table, int count)
    {
        while (table.Count > count)
        {
            var block = table.RemoveLast();
            _references[block] = 0;
            Link(block, after: NumBlocks);
        }
    }

    private void Link(int block, int after)
    {
        _previous[block] = after;
        _next[block] = _next[after];
        _previous[_next[after]] = block;
        _next[after] = block;
        NumFree++;
    }

    private void Unlink(int block)
    {
        _next[_previous[block]] = _next[block];
        _previous[_next[block]] = _previous[block];
        NumFree--;
    }
}
