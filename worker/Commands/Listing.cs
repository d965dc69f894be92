using Spectre.Console;

namespace Cluster.Worker.Commands;

/// <summary>Rows for people: a table on a terminal, elsewhere lines with aligned columns and nothing that a script would trip
/// over.</summary>
internal sealed class Listing(params string[] columns)
{
    private readonly List<string[]> _rows = [];

    /// <param name="cells">One for each column.</param>
    public void Add(params string[] cells) => _rows.Add(cells);

    public void Write()
    {
        if (Console.IsOutputRedirected)
        {
            Console.Write(ToString());
            return;
        }

        var table = new Table().Border(TableBorder.Rounded).AddColumns([.. columns.Select(Markup.Escape)]);
        foreach (var row in _rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
        }

        AnsiConsole.Write(table);
    }

    /// <summary>The lines.</summary>
    public override string ToString()
    {
        List<string[]> lines = [columns, .. _rows];
        var widths = columns.Select((_, column) => lines.Max(line => line[column].Length)).ToArray();
        return string.Concat(lines.Select(
            line => string.Join("  ", line.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd() + Environment.NewLine));
    }
}
