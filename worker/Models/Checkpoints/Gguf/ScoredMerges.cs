namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>The merges of a SentencePiece vocabulary, which states a score for each token instead: two tokens merge where a third is both
/// of them, and the best third goes first. As transformers' <c>SentencePieceExtractor</c> makes them.</summary>
internal static class ScoredMerges
{
    /// <param name="isText">Whether the token of an id takes part.</param>
    /// <returns>In the order of their ranks.</returns>
    public static IEnumerable<(string Left, string Right)> Of(string[] tokens, double[] scores, Predicate<int> isText)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var id = 0; id < tokens.Length; id++)
        {
            if (isText(id))
            {
                ids[tokens[id]] = id;
            }
        }

        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        List<(int Left, int Right, double Score)> merges = [];
        foreach (var (token, id) in ids)
        {
            for (var cut = 1; cut < token.Length; cut++)
            {
                if (lookup.TryGetValue(token.AsSpan(0, cut), out var left) && lookup.TryGetValue(token.AsSpan(cut), out var right))
                {
                    merges.Add((left, right, scores[id]));
                }
            }
        }

        // Of one token's merges that with the longer left part goes first, as there; the sort keeps the order of equals.
        return merges.OrderByDescending(merge => merge.Score)
            .ThenByDescending(merge => tokens[merge.Left].Length)
            .ThenByDescending(merge => tokens[merge.Right].Length)
            .Select(merge => (tokens[merge.Left], tokens[merge.Right]));
    }
}
