namespace Cluster.Operator.Plugin;

/// <summary>Columns as kubectl prints them: padded with blanks, three between two, nothing behind the last.</summary>
internal sealed class TextTable(params string[] headings)
{
    private const int Gap = 3;

    private readonly List<string[]> _rows = [headings];

    /// <param name="cells">One for each heading.</param>
    public void Add(params string[] cells) => _rows.Add(cells);

    public IEnumerable<string> Lines()
    {
        int[] widths = [.. headings.Select((_, column) => _rows.Max(row => row[column].Length))];
        return _rows.Select(
            row => string.Concat(row.Select((cell, column) => column == row.Length - 1 ? cell : cell.PadRight(widths[column] + Gap)))
                .TrimEnd());
    }
}
