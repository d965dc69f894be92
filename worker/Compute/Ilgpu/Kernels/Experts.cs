using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Which experts a token's row goes to.</summary>
internal static class Experts
{
    /// <summary>Chooses a row's experts, largest logit first, the lower number first among equals. A thread for each row; grid (rows /
    /// 64).</summary>
    /// <param name="logits"><c>[rows, count]</c>.</param>
    /// <param name="experts"><c>[rows, chosen]</c>, like <paramref name="weights"/>.</param>
    /// <param name="normalize">1: weights are the softmax over the chosen logits; 0: over all.</param>
    public static void Route(
        ArrayView<float> logits, ArrayView<int> experts, ArrayView<float> weights, int rows, int count, int chosen, int normalize)
    {
        var row = Grid.IdxX * Wave.Lanes + Group.IdxX;
        if (row >= rows)
        {
            return;
        }

        var from = (long)row * count;
        var to = (long)row * chosen;
        var found = 0;
        for (var expert = 0; expert < count; expert++)
        {
            var logit = logits[from + expert];
            var place = found;
            while (place > 0 && logit > logits[from + experts[to + place - 1]])
            {
                place--;
            }

            if (place < chosen)
            {
                found = Native.Min(found + 1, chosen);
                for (var i = found - 1; i > place; i--)
                {
                    experts[to + i] = experts[to + i - 1];
                }

                experts[to + place] = expert;
            }
        }

        var largest = logits[from + experts[to]];
        var sum = 0f;
        for (var i = 0; i < chosen; i++)
        {
            var weight = Native.Exp(logits[from + experts[to + i]] - largest);
            weights[to + i] = weight;
            sum += weight;
        }

        if (normalize == 0)
        {
            sum = 0f;
            for (var expert = 0; expert < count; expert++)
            {
                sum += Native.Exp(logits[from + expert] - largest);
            }
        }

        for (var i = 0; i < chosen; i++)
        {
            weights[to + i] = weights[to + i] / sum;
        }
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
