using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Engine;

/// <summary>Asks the model for something whose answer is known: the logits of a sample prompt and of one step of decoding after it. The
/// first answer is the one that later ones are compared with, to the last bit. Called by the engine's thread between two steps; calls
/// the <see cref="IModelRunner"/>, and borrows blocks of the <see cref="BlockPool"/> for as long as it takes.</summary>
/// <remarks>
/// It can be compared because a row's logits depend on its context alone. The tokens are spread over the vocabulary, whatever that is:
/// <code>
/// step 1   t0 t1 t2 … tn-2        a prompt that fills a block but for one token; logits of as many rows as the runner gives
/// step 2                   tn-1   decoding
/// </code>
/// Nothing of it is offered to the prefix cache, counted, or sampled from.
/// </remarks>
internal sealed class KnownAnswerProbe
{
    /// <summary>Enough rows for each lane of a tile of 16 rows.</summary>
    private const int MostTokens = 32;

    /// <summary>Far from each other, so that rows of different parts of an embedding are read.</summary>
    private const long Stride = 0x9E3779B1;

    private readonly IModelRunner _runner;
    private readonly BlockPool _pool;
    private readonly int[] _tokens;
    private readonly int[] _blocks;
    private readonly StepBatch _batch = new();
    private readonly byte[] _reference = new byte[SHA256.HashSizeInBytes];
    private readonly byte[] _answer = new byte[SHA256.HashSizeInBytes];

    private KnownAnswerProbe(IModelRunner runner, BlockPool pool, int numTokens)
    {
        _runner = runner;
        _pool = pool;
        _blocks = new int[runner.KvGroups.Count];
        _tokens = [.. Enumerable.Range(0, numTokens).Select(i => (int)((i + 1) * Stride % runner.VocabSize))];
    }

    /// <summary>How often the model has answered, and how often otherwise than at first.</summary>
    public KnownAnswerStatistics Statistics { get; private set; }

    /// <summary>The first answer, in hexadecimal digits; null before it.</summary>
    public string? Reference { get; private set; }

    /// <returns>Null when the model is too small to be asked anything.</returns>
    public static KnownAnswerProbe? For(IModelRunner runner, BlockPool pool)
    {
        var longest = Math.Min(Math.Min(runner.BlockSize, runner.MaxModelLength), Math.Min(MostTokens, runner.MaxBatchedTokens + 1));
        return longest < 1 || pool.NumBlocks < runner.KvGroups.Count ? null : new KnownAnswerProbe(runner, pool, longest);
    }

    /// <summary>Asks, where there are blocks for it.</summary>
    /// <param name="deviation">How the answer differs from the first; null when it does not.</param>
    /// <returns>False when all blocks are in use: ask again later.</returns>
    public bool TryAsk(out string? deviation)
    {
        deviation = null;
        if (_pool.NumFree < _blocks.Length)
        {
            return false;
        }

        foreach (ref var block in _blocks.AsSpan())
        {
            block = _pool.Allocate();
        }

        // When a step throws, the engine ends, and the pool with it.
        Compute();
        foreach (var block in _blocks)
        {
            _pool.Release(block);
        }

        if (Reference is null)
        {
            _answer.CopyTo(_reference, 0);
            Reference = Digits(_reference);
        }

        var agrees = _answer.AsSpan().SequenceEqual(_reference);
        Statistics = agrees
            ? Statistics with { Agreed = Statistics.Agreed + 1 }
            : Statistics with { Deviated = Statistics.Deviated + 1 };
        deviation = agrees
            ? null
            : $"the logits of the sample prompt have the digest {Digits(_answer)}, and had {Reference} when the model was loaded";
        return true;
    }

    private static string Digits(byte[] digest) => Convert.ToHexStringLower(digest.AsSpan(0, 8));

    private void Compute()
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var prompt = _tokens.Length - 1;
        if (prompt > 0)
        {
            Append(digest, first: 0, prompt);
        }

        Append(digest, prompt, count: 1);
        digest.GetHashAndReset(_answer);
    }

    private void Append(IncrementalHash digest, int first, int count)
    {
        Pack(first, count);
        _runner.Launch(_batch);
        digest.AppendData(MemoryMarshal.AsBytes(_runner.WaitForLogits()));
    }

    /// <summary>A step of the one sequence whose blocks these are.</summary>
    private void Pack(int first, int count)
    {
        _batch.NumTokens = _batch.MaxQueryLength = count;
        _batch.NumSequences = _batch.MaxBlocks = 1;
        _batch.MaxContextLength = first + count;
        _batch.NumGroups = _blocks.Length;
        _batch.NumBlockCopies = 0;
        _batch.NumLogits = Math.Min(count, _runner.MaxLogits);
        _batch.TokenIds = _tokens[first..(first + count)];
        _batch.Positions = [.. Enumerable.Range(first, count)];
        _batch.SlotMapping = [.. _blocks.SelectMany(block => Enumerable.Range(block * _runner.BlockSize + first, count))];
        _batch.QueryStarts = [0, count];
        _batch.ContextLengths = [first + count];
        _batch.BlockTables = [.. _blocks];
        _batch.LogitRows = [.. Enumerable.Range(count - _batch.NumLogits, _batch.NumLogits)];
    }
}
