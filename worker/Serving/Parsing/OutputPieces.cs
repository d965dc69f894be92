using System.Text;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>Collects what parsers find in one output, merges neighbours of one kind, and numbers the calls. Blanks around calls are layout
/// and no content: those at the end of a content are held back until it is known what follows.</summary>
/// <param name="maxCalls">Calls beyond are dropped (<c>parallel_tool_calls: false</c>).</param>
/// <param name="holdsBlanks">Whether calls may follow.</param>
/// <param name="ids">For calls that bring none.</param>
/// <param name="spellId">Makes an id of them; null for OpenAI's style.</param>
internal sealed class OutputPieces(int maxCalls, bool holdsBlanks, CallIds ids, Func<byte[], string>? spellId)
{
    private readonly StringBuilder _blanks = new();
    private readonly StringBuilder _text = new();
    private List<OutputPiece> _pieces = [];
    private PieceKind _kind;
    private bool _dropsCall;

    public int NumCalls { get; private set; }

    public void Reasoning(ReadOnlySpan<char> text) => Add(PieceKind.Reasoning, text);

    public void Content(ReadOnlySpan<char> text)
    {
        var solid = holdsBlanks ? text.TrimEnd() : text;
        if (solid.Length > 0)
        {
            Add(PieceKind.Content, _blanks.ToString());
            _blanks.Clear();
            Add(PieceKind.Content, solid);
        }

        _blanks.Append(text[solid.Length..]);
    }

    public void BeginCall(string name, string? id = null)
    {
        _blanks.Clear();
        _dropsCall = NumCalls >= maxCalls;
        if (!_dropsCall)
        {
            Close();
            _pieces.Add(new OutputPiece(PieceKind.CallStart, name, NumCalls, id ?? NewId()));
            NumCalls++;
        }
    }

    /// <summary>Of the call that was begun last.</summary>
    public void Arguments(ReadOnlySpan<char> text)
    {
        if (!_dropsCall)
        {
            Add(PieceKind.CallArguments, text);
        }
    }

    /// <summary>What was found since the last time.</summary>
    /// <param name="ended">Nothing more will come.</param>
    public IReadOnlyList<OutputPiece> Take(bool ended)
    {
        if (ended && NumCalls == 0)
        {
            Add(PieceKind.Content, _blanks.ToString());
            _blanks.Clear();
        }

        Close();
        var pieces = _pieces;
        _pieces = [];
        return pieces;
    }

    private string NewId()
    {
        var random = ids.Of(NumCalls);
        return spellId is null ? $"call_{Convert.ToHexStringLower(random)}" : spellId(random);
    }

    private void Add(PieceKind kind, ReadOnlySpan<char> text)
    {
        if (text.Length == 0)
        {
            return;
        }

        if (_kind != kind)
        {
            Close();
            _kind = kind;
        }

        _text.Append(text);
    }

    private void Close()
    {
        if (_text.Length > 0)
        {
            _pieces.Add(new OutputPiece(_kind, _text.ToString(), _kind == PieceKind.CallArguments ? NumCalls - 1 : 0));
            _text.Clear();
        }
    }
}
