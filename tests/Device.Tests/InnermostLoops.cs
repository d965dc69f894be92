using System.Text.RegularExpressions;

namespace Cluster.Device.Tests;

/// <summary>Loops in a listing of instructions.</summary>
internal static class InnermostLoops
{
    /// <summary>The lines of each loop that has no other in it, with its label and its jump back.</summary>
    /// <param name="label">Finds where a line is jumped to: its first group is the name.</param>
    /// <param name="branch">Finds a jump, likewise.</param>
    public static IEnumerable<string[]> Of(string[] lines, Regex label, Regex branch)
    {
        var labels = new Dictionary<string, int>(StringComparer.Ordinal);
        var loops = new List<(int Begin, int End)>();
        for (var i = 0; i < lines.Length; i++)
        {
            if (label.Match(lines[i]) is { Success: true } place)
            {
                labels[place.Groups[1].Value] = i;
            }
            else if (branch.Match(lines[i]) is { Success: true } jump && labels.TryGetValue(jump.Groups[1].Value, out var begin))
            {
                loops.Add((begin, i));
            }
        }

        bool HasAnother((int Begin, int End) loop) =>
            loops.Exists(other => other != loop && other.Begin >= loop.Begin && other.End <= loop.End);
        return loops.Where(loop => !HasAnother(loop)).Select(loop => lines[loop.Begin..(loop.End + 1)]);
    }
}
