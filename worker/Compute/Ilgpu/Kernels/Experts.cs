using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Which experts a token's row goes to.</summary>
internal static class Experts
{
    /// <summary>Chooses a row's experts as <see cref="ExpertRouting"/> says. Grid (rows), a wave each; a lane has every 64th expert. Each
    /// choice is the best of the experts that come after the one before it, in the order of merit and number.</summary>
    /// <param name="logits"><c>[rows, count]</c>.</param>
    /// <param name="correction"><c>[count]</c>, read if <paramref name="corrects"/>.</param>
    /// <param name="experts"><c>[rows, chosen]</c>, like <paramref name="weights"/>.</param>
    /// <param name="scoring">An <see cref="ExpertScoring"/>.</param>
    /// <param name="byLogits">1: merits are logits; 0: corrected scores.</param>
    /// <param name="groupScore">A <see cref="GroupScore"/>.</param>
    public static void Route(
        ArrayView<float> logits, ArrayView<float> correction, ArrayView<int> experts, ArrayView<float> weights, int count, int chosen,
        int scoring, int byLogits, int corrects, int groups, int groupsChosen, int groupScore, int normalize, float minSum, float scale,
        float jitter) =>
        RouteRow(
            Grid.IdxX, true, logits, correction, experts, weights, count, chosen, scoring, byLogits, corrects, groups, groupsChosen,
            groupScore, normalize, minSum, scale, jitter);

    /// <summary>The same for the row of a wave; all waves of the group must call it as often.</summary>
    /// <param name="isOwn">False in a wave that only keeps others company: it writes nothing.</param>
    public static void RouteRow(
        int number, bool isOwn, ArrayView<float> logits, ArrayView<float> correction, ArrayView<int> experts, ArrayView<float> weights,
        int count, int chosen, int scoring, int byLogits, int corrects, int groups, int groupsChosen, int groupScore, int normalize,
        float minSum, float scale, float jitter)
    {
        var row = logits.SubView((long)number * count, count);
        var to = (long)number * chosen;
        var largest = 0f;
        var total = 1f;
        if (scoring == (int)ExpertScoring.Softmax)
        {
            largest = float.NegativeInfinity;
            for (var expert = Group.IdxX; expert < count; expert += Wave.Lanes)
            {
                largest = Native.Max(row[expert], largest);
            }

            largest = Wave.Max(largest);
            total = 0f;
            for (var expert = Group.IdxX; expert < count; expert += Wave.Lanes)
            {
                total += Native.Exp(row[expert] - largest);
            }

            total = Wave.Sum(total);
        }

        var merits = new Merits(scoring, byLogits, corrects, largest, total);
        var size = count / groups;
        var open = groups == 1 ? 1 : OpenGroups(row, correction, merits, groups, groupsChosen, size, groupScore);
        var last = float.PositiveInfinity;
        var lastExpert = -1;
        var first = 0f;
        var sum = 0f;
        for (var place = 0; place < chosen; place++)
        {
            var best = float.NegativeInfinity;
            var bestExpert = count;
            for (var expert = Group.IdxX; expert < count; expert += Wave.Lanes)
            {
                var merit = merits.Of(row, correction, expert);
                if (((open >> (expert / size)) & 1) != 0
                    && (merit < last || (merit == last && expert > lastExpert))
                    && (bestExpert == count || merit > best))
                {
                    best = merit;
                    bestExpert = expert;
                }
            }

            // The lowest number of those that have the largest merit: numbers of experts are exact as floats.
            var most = Wave.Max(best);
            var lowest = -Wave.Max(bestExpert < count && best == most ? -bestExpert : -(float)count);
            var choice = Native.Min((int)lowest, count - 1);
            var logit = row[choice];
            first = place == 0 ? logit : first;
            var weight = scoring == (int)ExpertScoring.SoftmaxOfChosen ? Native.Exp(logit - first) : merits.Score(logit);
            if (scoring == (int)ExpertScoring.SparseMixer)
            {
                var nearlyAsGood = 0f;
                for (var expert = Group.IdxX; expert < count; expert += Wave.Lanes)
                {
                    var other = row[expert];
                    if ((other < last || (other == last && expert > lastExpert))
                        && logit - other <= 2f * jitter * Native.Max(Native.Abs(other), logit))
                    {
                        nearlyAsGood += Native.Exp(other - logit);
                    }
                }

                weight = 1f / Wave.Sum(nearlyAsGood);
            }

            sum += weight;
            last = most;
            lastExpert = choice;
            if (isOwn && Group.IdxX == place % Wave.Lanes)
            {
                experts[to + place] = choice;
                weights[to + place] = weight;
            }
        }

        // A lane reads what it wrote itself.
        var divisor = normalize == 0 ? 1f : Native.Max(sum + ExpertRouting.SumEpsilon, minSum);
        for (var place = Group.IdxX; isOwn && place < chosen; place += Wave.Lanes)
        {
            weights[to + place] = weights[to + place] / divisor * scale;
        }
    }

    /// <summary>The best groups, a bit each. A lane has one group.</summary>
    private static int OpenGroups(
        ArrayView<float> row, ArrayView<float> correction, Merits merits, int groups, int groupsChosen, int size, int groupScore)
    {
        var group = Group.IdxX;
        var best = float.NegativeInfinity;
        var second = float.NegativeInfinity;
        for (var i = 0; group < groups && i < size; i++)
        {
            var merit = merits.Of(row, correction, group * size + i);
            second = Native.Max(merit > best ? best : merit, second);
            best = Native.Max(merit, best);
        }

        var score = groupScore == (int)GroupScore.SumOfTwo && size > 1 ? best + second : best;
        var isLeft = group < groups;
        var open = 0;
        for (var i = 0; i < groupsChosen; i++)
        {
            var most = Wave.Max(isLeft ? score : float.NegativeInfinity);
            var choice = (int)-Wave.Max(isLeft && score == most ? -group : -(float)Wave.Lanes);
            open |= 1 << choice;
            isLeft = isLeft && group != choice;
        }

        return open;
    }

    /// <summary>Sorts routed rows by expert and cuts each expert's rows into tiles, all in the order of the rows. One group of one wave;
    /// a lane has every 64th expert.</summary>
    /// <param name="experts"><c>[routed]</c>.</param>
    /// <param name="starts">Room for <c>[2·(count + 1)]</c>: where each expert's rows and tiles begin.</param>
    /// <param name="order">Receives the rows.</param>
    /// <param name="tileRows">Most rows of a tile.</param>
    /// <param name="tiles">Receives <c>[maxTiles][3]</c>, see <see cref="Linear.MultiplyExperts"/>.</param>
    public static void Sort(
        ArrayView<int> experts, ArrayView<int> starts, ArrayView<int> order, ArrayView<int> tiles, int routed, int count, int tileRows,
        int maxTiles)
    {
        for (var tile = Group.IdxX; tile < maxTiles; tile += Wave.Lanes)
        {
            tiles[3 * tile + 2] = 0;
        }

        for (var expert = Group.IdxX; expert < count; expert += Wave.Lanes)
        {
            var rows = 0;
            for (var i = 0; i < routed; i++)
            {
                rows += experts[i] == expert ? 1 : 0;
            }

            starts[expert] = rows;
        }

        Group.Barrier();
        if (Group.IdxX == 0)
        {
            var rows = 0;
            var numTiles = 0;
            for (var expert = 0; expert < count; expert++)
            {
                var own = starts[expert];
                starts[expert] = rows;
                starts[count + 1 + expert] = numTiles;
                rows += own;
                numTiles += (own + tileRows - 1) / tileRows;
            }

            starts[count] = rows;
        }

        Group.Barrier();
        for (var expert = Group.IdxX; expert < count; expert += Wave.Lanes)
        {
            var first = starts[expert];
            var next = first;
            for (var i = 0; i < routed; i++)
            {
                if (experts[i] == expert)
                {
                    order[next] = i;
                    next++;
                }
            }

            var tile = starts[count + 1 + expert];
            for (var at = first; at < next; at += tileRows)
            {
                tiles[3 * tile] = expert;
                tiles[3 * tile + 1] = at;
                tiles[3 * tile + 2] = Native.Min(tileRows, next - at);
                tile++;
            }
        }
    }

    /// <summary>What <see cref="Sort"/> does where row token·heads + head goes to expert head. A thread for each row; grid (rows /
    /// 64).</summary>
    /// <param name="order">Receives the rows.</param>
    /// <param name="tileRows">Most rows of a tile.</param>
    /// <param name="tiles">Receives <c>[heads · tiles of the tokens][3]</c>.</param>
    public static void SortByHead(ArrayView<int> order, ArrayView<int> tiles, int tokens, int heads, int tileRows)
    {
        var i = Grid.IdxX * Wave.Lanes + Group.IdxX;
        var tilesOfHead = (tokens + tileRows - 1) / tileRows;
        if (i < tokens * heads)
        {
            order[i] = i % tokens * heads + i / tokens;
        }

        if (i < tilesOfHead * heads)
        {
            var first = i % tilesOfHead * tileRows;
            tiles[3 * i] = i / tilesOfHead;
            tiles[3 * i + 1] = i / tilesOfHead * tokens + first;
            tiles[3 * i + 2] = Native.Min(tileRows, tokens - first);
        }
    }
}
