using System.Text;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>The part of an output that its constraint does not concern yet. Followed token by token by
/// <see cref="ConstraintCursor"/>.</summary>
internal sealed class FreeText
{
    private readonly ITokenizer _tokenizer;
    private readonly byte[][] _ends;
    private readonly int[] _openings;
    private readonly List<byte> _tail;

    public FreeText(ConstraintDelay delay, ITokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        _ends = [.. delay.Ends.Select(Encoding.UTF8.GetBytes)];
        _openings = [.. delay.Openings.Select(tokenizer.TokenToId).OfType<int>()];
        _tail = [];
        IsUndecided = _openings.Length > 0;
        IsFree = !IsUndecided;
    }

    private FreeText(FreeText origin)
    {
        (_tokenizer, _ends, _openings) = (origin._tokenizer, origin._ends, origin._openings);
        (_tail, IsUndecided, IsFree) = ([.. origin._tail], origin.IsUndecided, origin.IsFree);
    }

    /// <summary>Whether any token may come next.</summary>
    public bool IsFree { get; private set; }

    /// <summary>Whether the next token decides if there is a free part: one of <see cref="Openings"/> begins it.</summary>
    public bool IsUndecided { get; private set; }

    public ReadOnlySpan<int> Openings => _openings;

    public FreeText Fork() => new(this);

    /// <summary>Goes past a token.</summary>
    /// <returns>Whether it is part of the free text; else it is the constraint's.</returns>
    public bool Accept(int token)
    {
        if (IsUndecided)
        {
            (IsUndecided, IsFree) = (false, _openings.Contains(token));
            return IsFree;
        }

        if (!IsFree)
        {
            return false;
        }

        _tail.AddRange(_tokenizer.TokenBytes(token) ?? Encoding.UTF8.GetBytes(_tokenizer.IdToToken(token) ?? ""));
        var tail = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_tail);
        foreach (var end in _ends)
        {
            IsFree &= tail.IndexOf(end) < 0;
        }

        _tail.RemoveRange(0, Math.Max(0, _tail.Count - _ends.Max(end => end.Length)));
        return true;
    }
}
