using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Tests.Compute.Cpu;

namespace Cluster.Worker.Tests.Compute;

/// <summary>A few sequences with random queries, keys and values, taken through rope, cache and attention in any order of steps.</summary>
internal sealed class PagedRun(
    AttentionSettings settings, int kvHeads, int headDim, int rotaryDim, int[] lengths, DType cacheDType = DType.F32,
    float[]? alibiSlopes = null)
{
    private const int BlockSize = 16;

    private readonly float[][][] _qkv = [.. lengths.Select((length, sequence) => Enumerable.Range(0, length)
        .Select(position => HostTensors.Random(new Random(sequence * 10_000 + position), (settings.Heads + 2 * kvHeads) * headDim))
        .ToArray())];

    /// <summary>Rotates neighbours, from the second element on.</summary>
    public bool Interleaved { get; init; }

    /// <summary>One for each query head; null for none.</summary>
    public float[]? Sinks { get; init; }

    /// <summary>One for each position; null for none.</summary>
    public float[]? QueryScales { get; init; }

    /// <summary>Values are the first elements of the one key, as many as this; 0 for keys and values.</summary>
    public int LatentDim { get; init; }

    private readonly float[] _frequencies = [
        .. Enumerable.Range(0, rotaryDim / 2).Select(i => (float)Math.Pow(10_000, -2.0 * i / rotaryDim))];

    private int FirstDim => LatentDim > 0 ? headDim - rotaryDim : Interleaved ? 1 : 0;

    private int Columns => (settings.Heads + 2 * kvHeads) * headDim;

    /// <summary>Rows of one sequence in a step.</summary>
    public readonly record struct Chunk(int Sequence, int Start, int Count);

    /// <summary>Every sequence whole, in one step.</summary>
    public IEnumerable<Chunk[]> AtOnce() => [[.. lengths.Select((length, sequence) => new Chunk(sequence, 0, length))]];

    /// <summary>Every sequence on its own, in chunks of so many tokens.</summary>
    public IEnumerable<Chunk[]> AloneInChunks(int tokens) =>
        from sequence in Enumerable.Range(0, lengths.Length)
        from start in Enumerable.Range(0, (lengths[sequence] + tokens - 1) / tokens).Select(i => i * tokens)
        select new[] { new Chunk(sequence, start, Math.Min(tokens, lengths[sequence] - start)) };

    /// <summary>All sequences together, each advancing by so many tokens a step.</summary>
    public IEnumerable<Chunk[]> TogetherInChunks(int tokens)
    {
        for (var start = 0; start < lengths.Max(); start += tokens)
        {
            var from = start;
            yield return [
                .. Enumerable.Range(0, lengths.Length).Where(s => from < lengths[s])
                    .Select(s => new Chunk(s, from, Math.Min(tokens, lengths[s] - from)))];
        }
    }

    /// <summary>Attention's output for every row, sequence after sequence.</summary>
    /// <param name="blockSeed">Which blocks of the pool the pages get. The pool is full of NaN before.</param>
    public float[][] Execute(BackendUnderTest device, IEnumerable<Chunk[]> steps, int blockSeed)
    {
        var blocksEach = lengths.Select(length => (length + BlockSize - 1) / BlockSize).ToArray();
        var pool = blocksEach.Sum() + 3;
        var cache = device.Backend.AllocateKvCache(
            new KvCacheLayout(2, kvHeads, headDim, BlockSize, pool, cacheDType) { LatentDim = LatentDim });
        Poison(device, cache, pool);

        var ids = Enumerable.Range(0, pool).ToArray();
        new Random(blockSeed).Shuffle(ids);
        var tables = new int[lengths.Length][];
        for (int sequence = 0, next = 0; sequence < lengths.Length; next += blocksEach[sequence++])
        {
            tables[sequence] = ids[next..(next + blocksEach[sequence])];
        }

        var rope = rotaryDim == 0
            ? null
            : device.Backend.LoadRope(
                new RopeFrequencies(_frequencies, 1.25f, lengths.Max()) { Interleaved = Interleaved, FirstDim = FirstDim });
        var outputs = lengths.Select(length => new float[length * settings.Heads * cache.Layout.ValueDim]).ToArray();
        Tensor? OnDevice(float[]? values) => values is null ? null : device.Floats(values, 1, values.Length);
        var deviceSettings = settings with
        {
            AlibiSlopes = OnDevice(alibiSlopes),
            Sinks = OnDevice(Sinks),
            QueryScales = OnDevice(QueryScales),
        };
        foreach (var step in steps)
        {
            Step(device, deviceSettings, cache, rope, tables, step, outputs);
        }

        return outputs;
    }

    /// <summary>The same on a CPU backend of its own.</summary>
    public float[][] Execute(VectorWidth width, int threads, IEnumerable<Chunk[]> steps, int blockSeed)
    {
        using var device = new CpuDevice(width, threads);
        return Execute(device, steps, blockSeed);
    }

    /// <summary>The same by the scalar twin.</summary>
    public double[][] Expected() => [.. lengths.Select((length, sequence) =>
    {
        var rows = Enumerable.Range(0, length).Select(position => Enumerable.Range(0, settings.Heads + 2 * kvHeads).Select(head =>
        {
            var values = _qkv[sequence][position].AsSpan(head * headDim, headDim);
            return head < settings.Heads + kvHeads
                ? ScalarTwin.Rotate(values, _frequencies, 1.25, position, Interleaved, FirstDim)
                : ScalarTwin.Rotate(values, [], 1, 0);
        }).ToArray()).ToArray();
        var allKeys = Enumerable.Range(0, kvHeads)
            .Select(head => rows.Select(row => Stored(row[settings.Heads + head], settings.CacheScales?.Key ?? 1)).ToArray()).ToArray();
        var allValues = Enumerable.Range(0, kvHeads)
            .Select(head => LatentDim > 0
                ? [.. allKeys[head].Select(key => key[..LatentDim])]
                : rows.Select(row => Stored(row[settings.Heads + kvHeads + head], settings.CacheScales?.Value ?? 1)).ToArray()).ToArray();
        return Enumerable.Range(0, length).SelectMany(position => Enumerable.Range(0, settings.Heads).SelectMany(head =>
        {
            var kvHead = head / (settings.Heads / kvHeads);
            var temperature = QueryScales?[position] ?? 1;
            double[] query = [.. rows[position][head].Select(value => value * temperature)];
            return ScalarTwin.Attend(query, allKeys[kvHead], allValues[kvHead], position, settings, alibiSlopes?[head] ?? 0, Sinks?[head]);
        })).ToArray();
    })];

    private double[] Stored(double[] values, float scale) =>
        Array.ConvertAll(values, value => cacheDType is DType.F8E4M3 or DType.F8E5M2
            ? (double)Fp8Oracle.Of(cacheDType).Round((float)value / scale) * scale
            : cacheDType == DType.F32 ? value : HostTensors.Rounded(cacheDType, (float)value));

    private void Step(
        BackendUnderTest device, AttentionSettings deviceSettings, KvCache cache, RopeTable? rope, int[][] tables, Chunk[] step,
        float[][] outputs)
    {
        var tokens = step.Sum(chunk => chunk.Count);
        var positions = step.SelectMany(chunk => Enumerable.Range(chunk.Start, chunk.Count)).ToArray();
        var slots = step.SelectMany(chunk => Enumerable.Range(chunk.Start, chunk.Count)
            .Select(position => tables[chunk.Sequence][position / BlockSize] * BlockSize + position % BlockSize)).ToArray();
        var starts = new int[step.Length + 1];
        for (var i = 0; i < step.Length; i++)
        {
            starts[i + 1] = starts[i] + step[i].Count;
        }

        var maxBlocks = tables.Max(table => table.Length) + 1;
        var padded = step.SelectMany(chunk => tables[chunk.Sequence].Concat(Enumerable.Repeat(int.MaxValue, maxBlocks)).Take(maxBlocks))
            .ToArray();
        var inputs = new AttentionInputs(
            device.Integers(tokens, 1, positions),
            device.Integers(tokens, 1, slots),
            device.Integers(step.Length + 1, 1, starts),
            device.Integers(step.Length, 1, [.. step.Select(chunk => chunk.Start + chunk.Count)]),
            device.Integers(step.Length, maxBlocks, padded),
            step.Max(chunk => chunk.Count),
            step.Max(chunk => chunk.Start + chunk.Count));
        var qkv = device.Floats(
            [.. step.SelectMany(c => Enumerable.Range(c.Start, c.Count).SelectMany(p => _qkv[c.Sequence][p]))], tokens, Columns);
        var width = settings.Heads * cache.Layout.ValueDim;
        var output = device.Empty(tokens, width);
        if (LatentDim > 0)
        {
            // The row's key lies behind its queries.
            Tensor Columns(int first, int count) => device.Floats(
                [.. step.SelectMany(c => Enumerable.Range(c.Start, c.Count).SelectMany(
                    p => _qkv[c.Sequence][p].AsSpan(first * headDim, count * headDim).ToArray()))], tokens, count * headDim);
            var (queries, latent) = (Columns(0, settings.Heads), Columns(settings.Heads, 1));
            if (rope is not null)
            {
                device.Backend.Rotate(queries, rope, inputs.Positions, 0, settings.Heads, headDim);
                device.Backend.Rotate(latent, rope, inputs.Positions, 0, 1, headDim);
            }

            device.Backend.LatentToCache(latent, inputs, cache, layer: 1, settings.CacheScales);
            device.Backend.PagedAttention(queries, inputs, cache, layer: 1, deviceSettings, output);
        }
        else
        {
            device.Backend.RopeAndCache(qkv, rope, inputs, cache, layer: 1, settings.CacheScales);
            device.Backend.PagedAttention(qkv, inputs, cache, layer: 1, deviceSettings, output);
        }

        var rows = device.Read(output);
        for (int i = 0, row = 0; i < step.Length; row += step[i++].Count)
        {
            rows.AsSpan(row * width, step[i].Count * width).CopyTo(outputs[step[i].Sequence].AsSpan(step[i].Start * width));
        }
    }

    private void Poison(BackendUnderTest device, KvCache cache, int pool)
    {
        var slots = pool * BlockSize;
        var qkv = new float[slots * Columns];
        Array.Fill(qkv, float.NaN);
        var none = device.Integers(1, 1, 0);
        var inputs = new AttentionInputs(none, device.Integers(slots, 1, [.. Enumerable.Range(0, slots)]), none, none, none, slots, slots);
        foreach (var layer in new[] { 0, 1 })
        {
            if (LatentDim > 0)
            {
                device.Backend.LatentToCache(
                    device.Floats(qkv.AsSpan(0, slots * headDim).ToArray(), slots, headDim), inputs, cache, layer);
                continue;
            }

            device.Backend.RopeAndCache(
                device.Floats(qkv, slots, Columns), null, inputs with { Positions = inputs.SlotMapping }, cache, layer);
        }
    }
}
