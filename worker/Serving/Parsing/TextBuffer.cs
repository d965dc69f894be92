namespace Cluster.Worker.Serving.Parsing;

/// <summary>Text that has come and that no parser has taken yet.</summary>
internal sealed class TextBuffer
{
    private char[] _text = new char[256];
    private int _start;
    private int _end;
    private object? _sought;
    private int _searched;

    public ReadOnlySpan<char> Rest => _text.AsSpan(_start, _end - _start);

    public int Length => _end - _start;

    public void Append(ReadOnlySpan<char> text)
    {
        if (_end + text.Length > _text.Length)
        {
            var larger = Length + text.Length > _text.Length / 2 ? new char[2 * (Length + text.Length)] : _text;
            Rest.CopyTo(larger);
            (_text, _start, _end, _searched) = (larger, 0, Length, _searched - _start);
        }

        text.CopyTo(_text.AsSpan(_end));
        _end += text.Length;
    }

    public void Skip(int count) => _start += count;

    public string Take(int count)
    {
        var text = Rest[..count].ToString();
        Skip(count);
        return text;
    }

    /// <summary>Where the marker begins; -1 when it is not there.</summary>
    public int Find(string marker) => Find(marker, [marker], out _);

    /// <summary>Where the first of the markers begins; -1 when none is there.</summary>
    public int Find(IReadOnlyList<string> markers, out string? marker) => Find(markers, markers, out marker);

    /// <summary>What was searched in vain is not searched again, so that waiting for a marker costs no more than the text is
    /// long.</summary>
    private int Find(object sought, IReadOnlyList<string> markers, out string? marker)
    {
        var from = ReferenceEquals(sought, _sought) ? Math.Max(_searched, _start) : _start;
        marker = First(_text.AsSpan(from, _end - from), markers, ended: true, out var found);
        (_sought, _searched) = (sought, marker is null ? Math.Max(from, _end - markers.Max(one => one.Length) + 1) : from + found);
        return marker is null ? -1 : from + found - _start;
    }

    /// <summary>Whether the text, behind blanks, begins with the marker; null when that is not decided yet.</summary>
    /// <param name="length">Of blanks and marker together, when it does.</param>
    public bool? BeginsWith(string marker, bool ended, out int length)
    {
        var blanks = Blanks(Rest);
        var rest = Rest[blanks..];
        length = blanks + marker.Length;
        return rest.StartsWith(marker, StringComparison.Ordinal) ? true
            : !ended && marker.AsSpan().StartsWith(rest, StringComparison.Ordinal) ? null : false;
    }

    /// <summary>Length of the blanks at the beginning.</summary>
    public static int Blanks(ReadOnlySpan<char> text) => text.Length - text.TrimStart().Length;

    /// <summary>The first of several markers in a text, and of those in one place the longest; null when there is none.</summary>
    /// <param name="at">Where it begins; else where an end begins that may become one of them: what is before is none.</param>
    public static string? First(ReadOnlySpan<char> text, IReadOnlyList<string> markers, bool ended, out int at)
    {
        string? first = null;
        at = text.Length;
        foreach (var marker in markers)
        {
            var found = text.IndexOf(marker, StringComparison.Ordinal);
            if (found >= 0 && (found < at || (found == at && first is not null && marker.Length > first.Length)))
            {
                (first, at) = (marker, found);
            }
        }

        for (var i = 0; !ended && i < markers.Count; i++)
        {
            // One that is cut may begin before one that is whole.
            var open = text.Length - Undecided(text, markers[i]);
            (first, at) = open < at ? (null, open) : (first, at);
        }

        return first;
    }

    /// <summary>Length of the text's end that may be the beginning of the marker.</summary>
    public static int Undecided(ReadOnlySpan<char> text, string marker)
    {
        for (var length = Math.Min(text.Length, marker.Length - 1); length > 0; length--)
        {
            if (text.EndsWith(marker.AsSpan(0, length), StringComparison.Ordinal))
            {
                return length;
            }
        }

        return 0;
    }
}
