using System.Text;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>As much of a POSIX shell's grammar as the documents use: words, quotes, pipes, redirections, comments, lines that go
/// on.</summary>
internal static class ShellLine
{
    /// <summary>Joins lines that end in a backslash and drops empty ones and comments.</summary>
    /// <returns>Each command with the number of its first line, counted from 0.</returns>
    public static IEnumerable<(int Line, string Text)> Commands(IReadOnlyList<string> lines)
    {
        for (var i = 0; i < lines.Count; i++)
        {
            var first = i;
            var text = lines[i];
            while (text.EndsWith('\\') && i + 1 < lines.Count)
            {
                text = text[..^1].TrimEnd() + ' ' + lines[++i].Trim();
            }

            if (text.Trim() is { Length: > 0 } command && command[0] != '#')
            {
                yield return (first, command);
            }
        }
    }

    /// <summary>The words of each program of a pipeline, without quotes. Files that output is redirected to are left out.</summary>
    public static IReadOnlyList<string[]> Pipeline(string text)
    {
        var pipeline = new List<string[]>();
        var words = new List<string>();
        var word = new StringBuilder();
        var inWord = false;
        var redirected = false;
        char? quote = null;
        foreach (var character in text + " ")
        {
            if (quote is not null)
            {
                quote = character == quote ? null : quote;
                word.Append(quote is null ? "" : character);
                continue;
            }

            switch (character)
            {
                case '\'' or '"':
                    quote = character;
                    inWord = true;
                    break;
                case ' ' or '|' or '>':
                    EndWord();
                    redirected |= character == '>';
                    if (character == '|')
                    {
                        pipeline.Add([.. words]);
                        words = [];
                    }

                    break;
                case '#' when !inWord:
                    pipeline.Add([.. words]);
                    return pipeline;
                default:
                    word.Append(character);
                    inWord = true;
                    break;
            }
        }

        Assert.True(quote is null, $"a quote is not closed: {text}");
        pipeline.Add([.. words]);
        return pipeline;

        void EndWord()
        {
            if (inWord && !redirected)
            {
                words.Add(word.ToString());
            }

            redirected &= !inWord;
            word.Clear();
            inWord = false;
        }
    }
}
