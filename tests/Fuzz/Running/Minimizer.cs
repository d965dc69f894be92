namespace Cluster.Fuzz.Running;

/// <summary>Makes a failing input smaller while it goes on failing, by delta debugging (Zeller and Hildebrandt, "Simplifying and isolating
/// failure-inducing input"): leaves out ever smaller parts, lines first, and keeps what is left where that still fails.</summary>
internal static class Minimizer
{
    /// <param name="fails">Whether an input fails in the same way.</param>
    /// <param name="mostTries">Calls of <paramref name="fails"/>.</param>
    public static byte[] Minimize(byte[] input, Func<byte[], bool> fails, int mostTries)
    {
        var tries = 0;
        var lines = Reduce(Lines(input), parts => Try([.. parts.SelectMany(part => part)]));
        return [.. Reduce([.. lines.SelectMany(line => line)], parts => Try([.. parts]))];

        bool Try(byte[] candidate) => tries++ < mostTries && fails(candidate);
    }

    private static List<T> Reduce<T>(List<T> parts, Func<IEnumerable<T>, bool> fails)
    {
        var size = Math.Max(1, parts.Count / 2);
        while (parts.Count > 0)
        {
            var changed = false;
            for (var at = 0; at < parts.Count;)
            {
                List<T> rest = [.. parts[..at], .. parts[Math.Min(parts.Count, at + size)..]];
                if (fails(rest))
                {
                    parts = rest;
                    changed = true;
                }
                else
                {
                    at += size;
                }
            }

            if (size == 1 && !changed)
            {
                break;
            }

            size = Math.Max(1, changed ? Math.Min(size, parts.Count / 2) : size / 2);
        }

        return parts;
    }

    private static List<byte[]> Lines(byte[] input)
    {
        List<byte[]> lines = [];
        for (var start = 0; start < input.Length;)
        {
            var end = Array.IndexOf(input, (byte)'\n', start);
            end = end < 0 ? input.Length : end + 1;
            lines.Add(input[start..end]);
            start = end;
        }

        return lines;
    }
}
