namespace Cluster.Worker.Engine;

/// <summary>Where a sequence is. There is no "prefill" or "decode": a sequence only has tokens that are not computed yet.</summary>
internal enum SequenceState
{
    /// <summary>Holds no blocks: not started, or preempted.</summary>
    Waiting,

    /// <summary>Holds blocks and takes part in steps.</summary>
    Running,

    /// <summary>Holds no blocks and wants none: its next token waits for other sequences of the request.</summary>
    Parked,

    /// <summary>Holds no blocks and never will again.</summary>
    Finished,
}

/// <summary>One token sequence, prompt and output, and its place in the KV cache. Tokens are appended by <see cref="LlmEngine"/>;
/// everything about blocks belongs to <see cref="Scheduler"/>.</summary>
internal sealed class Sequence
{
    private readonly List<BlockHash> _hashes = [];
    private readonly string? _cacheSalt;
    private int[] _tokens;

    /// <param name="promptTokenIds">At least one token; copied.</param>
    /// <param name="priority">Lower comes earlier.</param>
    /// <param name="cacheSalt">Its blocks are shared only with sequences of the same salt.</param>
    public Sequence(ReadOnlySpan<int> promptTokenIds, int priority = 0, string? cacheSalt = null)
    {
        Priority = priority;
        _cacheSalt = cacheSalt;
        ArgumentOutOfRangeException.ThrowIfZero(promptTokenIds.Length);
        _tokens = new int[promptTokenIds.Length + 64];
        promptTokenIds.CopyTo(_tokens);
        PromptLength = Length = promptTokenIds.Length;
        NumScoredTokens = PromptLength - 1;
        QueueNode = new LinkedListNode<Sequence>(this);
    }

    private Sequence(Sequence origin)
    {
        _tokens = new int[origin.Length + 64];
        origin.Tokens.CopyTo(_tokens);
        _hashes.AddRange(origin._hashes);
        _cacheSalt = origin._cacheSalt;
        Priority = origin.Priority;
        Arrival = origin.Arrival;
        PromptLength = origin.PromptLength;
        Length = origin.Length;
        NumScoredTokens = origin.NumScoredTokens;
        NumCachedTokens = origin.NumCachedTokens;
        MayFork = origin.MayFork;
        QueueNode = new LinkedListNode<Sequence>(this);
    }

    public SequenceState State { get; set; }

    /// <summary>Lower comes earlier.</summary>
    public int Priority { get; }

    /// <summary>Among those of equal priority, lower comes earlier; given by <see cref="Scheduler.Add"/>.</summary>
    public long Arrival { get; set; }

    /// <summary>Every token known so far, prompt first.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Length);

    public int Length { get; private set; }

    public int PromptLength { get; }

    /// <summary>Tokens generated so far.</summary>
    public int CompletionLength => Length - PromptLength;

    /// <summary>Leading output tokens that were not generated here (<see cref="Resumption"/>).</summary>
    public int NumGivenTokens { get; set; }

    /// <summary>Whether no token of it was generated here yet.</summary>
    public bool IsFresh => CompletionLength == NumGivenTokens;

    /// <summary>Tokens guessed to follow, kept behind <see cref="Tokens"/>; known only once they are appended.</summary>
    public ReadOnlySpan<int> Draft => _tokens.AsSpan(Length, NumDraftTokens);

    public int NumDraftTokens { get; private set; }

    /// <summary><see cref="Tokens"/> and <see cref="Draft"/> together.</summary>
    public ReadOnlySpan<int> TokensWithDraft => _tokens.AsSpan(0, Length + NumDraftTokens);

    /// <summary>Tokens whose keys and values are in the cache once the steps planned so far have run, the draft's with them. A sequence
    /// whose computed tokens reach <see cref="Length"/> gets a new token from that step.</summary>
    public int NumComputedTokens { get; set; }

    /// <summary>Prompt tokens found in the prefix cache when the sequence first started; null before that.</summary>
    public int? NumCachedTokens { get; set; }

    /// <summary>Leading prompt tokens whose logits nobody wants, or not any more; all but the last of the prompt, unless the prompt's
    /// log-probabilities were asked for. The logits of the others are computed with them, so such tokens cannot come from the prefix
    /// cache.</summary>
    public int NumScoredTokens { get; set; }

    /// <summary>Whether the sequence's next token is decided together with others of its request, which are not as far: it wants no step
    /// until then.</summary>
    public bool AwaitsOthers { get; set; }

    /// <summary>Whether logits of prompt tokens before the last are still wanted.</summary>
    public bool WantsScores => NumScoredTokens < PromptLength - 1;

    /// <summary>Its blocks, by group of layers; empty until it first gets some.</summary>
    public BlockTable[] BlockTables { get; set; } = [];

    /// <summary>Whether other sequences may start where this one is after a step: until it is known, no step is planned ahead.</summary>
    public bool MayFork { get; set; }

    /// <summary>Leading blocks of the table that were offered to the prefix cache, or came from it.</summary>
    public int NumRegisteredBlocks { get; set; }

    /// <summary>The sequence's place in the waiting queue, so that it can leave from the middle.</summary>
    public LinkedListNode<Sequence> QueueNode { get; }

    /// <summary>Another sequence of the same tokens; <see cref="Scheduler.Fork"/> gives it blocks.</summary>
    public Sequence Fork() => new(this);

    /// <summary>Makes a token known; the first one of the draft, if there is one, gives its place to it.</summary>
    public void Append(int tokenId)
    {
        Grow(Length);
        _tokens[Length++] = tokenId;
        NumDraftTokens = Math.Max(0, NumDraftTokens - 1);
    }

    /// <summary>Adds a guess.</summary>
    public void AppendDraft(int tokenId)
    {
        Grow(Length + NumDraftTokens);
        _tokens[Length + NumDraftTokens++] = tokenId;
    }

    /// <summary>Drops the draft behind its first tokens.</summary>
    public void TruncateDraft(int length) => NumDraftTokens = Math.Min(NumDraftTokens, length);

    /// <summary>Forgets the tokens from this length on, and the draft. Only for sequences whose blocks no one else reads.</summary>
    public void Truncate(int length)
    {
        Length = Math.Min(Length, length);
        NumDraftTokens = 0;
    }

    /// <summary>Hash of a block all of whose tokens are known. Computed once; preemption does not forget it.</summary>
    public BlockHash HashOfBlock(int index, BlockHasher hasher, int blockSize)
    {
        while (_hashes.Count <= index)
        {
            var parent = _hashes.Count > 0 ? _hashes[^1] : _cacheSalt is null ? default : hasher.HashSalt(_cacheSalt);
            _hashes.Add(hasher.Hash(parent, Tokens.Slice(_hashes.Count * blockSize, blockSize)));
        }

        return _hashes[index];
    }

    private void Grow(int length)
    {
        if (length == _tokens.Length)
        {
            Array.Resize(ref _tokens, 2 * length);
        }
    }
}
