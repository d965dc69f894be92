using System.Runtime.InteropServices;
using System.Text;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>The part of an output that its constraint does not concern yet. Followed token by token by
/// <see cref="ConstraintCursor"/>.</summary>
internal sealed class FreeText
{
    private readonly ITokenizer _tokenizer;
    private readonly byte[][] _ends;
    private readonly List<byte> _tail;
    private int[][] _openings;
    private int _numOpened;

    public FreeText(ConstraintDelay delay, ITokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        _ends = [.. delay.Ends.Select(Encoding.UTF8.GetBytes)];
        _openings = [.. delay.Openings.Select(opening => tokenizer.TokenToId(opening) is { } token
            ? [token]
            : tokenizer.Encode(opening, addSpecialTokens: false).ToArray()).Where(tokens => tokens.Length > 0)];
        _tail = [];
        IsFree = _openings.Length == 0;
    }

    private FreeText(FreeText origin)
    {
        (_tokenizer, _ends, _openings, _numOpened) = (origin._tokenizer, origin._ends, origin._openings, origin._numOpened);
        (_tail, IsFree) = ([.. origin._tail], origin.IsFree);
    }

    /// <summary>Whether any token may come next.</summary>
    public bool IsFree { get; private set; }

    /// <summary>Whether the output so far may be the beginning of a free part: <see cref="NextTokens"/> go on with it.</summary>
    public bool IsUndecided => !IsFree && _openings.Length > 0;

    /// <summary>Of each opening that the output may be at, the next token.</summary>
    public IEnumerable<int> NextTokens => _openings.Select(opening => opening[_numOpened]);

    public FreeText Fork() => new(this);

    /// <summary>Goes past a token.</summary>
    public void Accept(int token)
    {
        if (IsUndecided)
        {
            _openings = [.. _openings.Where(opening => opening[_numOpened] == token)];
            _numOpened++;
            IsFree = _openings.Any(opening => opening.Length == _numOpened);
            _openings = IsFree ? [] : _openings;
            return;
        }

        _tail.AddRange(_tokenizer.TokenBytes(token) ?? Encoding.UTF8.GetBytes(_tokenizer.IdToToken(token) ?? ""));
        var tail = CollectionsMarshal.AsSpan(_tail);
        foreach (var end in _ends)
        {
            IsFree &= tail.IndexOf(end) < 0;
        }

        _tail.RemoveRange(0, Math.Max(0, _tail.Count - _ends.Max(end => end.Length)));
    }
}
