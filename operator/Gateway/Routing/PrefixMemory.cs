namespace Cluster.Operator.Gateway.Routing;

/// <summary>Which beginnings of prompts a replica has computed lately: an LRU set in two generations. What is used moves to the young one;
/// when that is full, the old one is forgotten. At least half of the capacity is always the most recent, and an entry costs a hash set's
/// 24 bytes.</summary>
internal sealed class PrefixMemory
{
    /// <summary>About a million characters of prompts, for replicas that do not tell the size of their cache.</summary>
    public const int DefaultCapacity = 16384;

    public const int MostCapacity = 1 << 17;

    private readonly Lock _gate = new();
    private HashSet<ulong> _young = [];
    private HashSet<ulong> _old = [];
    private int _capacity = DefaultCapacity;

    /// <summary>As many blocks as the replica's own cache has.</summary>
    public int Capacity
    {
        get => Volatile.Read(ref _capacity);
        set => Volatile.Write(ref _capacity, Math.Clamp(value, 2, MostCapacity));
    }

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _young.Count + _old.Count(hash => !_young.Contains(hash));
            }
        }
    }

    /// <returns>How many blocks of the prompt's beginning are known.</returns>
    public int Match(ReadOnlySpan<ulong> blocks)
    {
        lock (_gate)
        {
            var matched = 0;
            while (matched < blocks.Length && (_young.Contains(blocks[matched]) || _old.Contains(blocks[matched])))
            {
                matched++;
            }

            return matched;
        }
    }

    /// <summary>The replica computes this prompt. Its beginning is added last, so that it is forgotten last.</summary>
    public void Add(ReadOnlySpan<ulong> blocks)
    {
        lock (_gate)
        {
            for (var i = blocks.Length - 1; i >= 0; i--)
            {
                if (_young.Add(blocks[i]) && _young.Count >= Math.Max(1, _capacity / 2))
                {
                    (_old, _young) = (_young, []);
                }
            }
        }
    }
}
