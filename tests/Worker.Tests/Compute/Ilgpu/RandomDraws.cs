using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Rows of logits and ways to sample them, of every kind that could make two samplers disagree.</summary>
internal sealed class RandomDraws(int seed, int vocabSize)
{
    private readonly Random _random = new(seed);

    public float[] Logits()
    {
        var kind = _random.Next(9);
        var scale = MathF.Pow(10, (_random.NextSingle() * 3) - 1);
        var logits = Enumerable.Range(0, vocabSize).Select(_ => kind switch
        {
            0 => scale * Normal(),
            1 => MathF.Round(scale * Normal(), 1),
            2 => _random.Next(4) - 2,
            3 => 5f,
            4 => (float)(40 * Math.Pow(_random.NextDouble(), 4)) - 100,
            5 => _random.Next(8) == 0 ? scale * Normal() : float.NegativeInfinity,
            6 => _random.Next(2) == 0 ? 0f : -0f,
            7 => BitConverter.Int32BitsToSingle(_random.Next(64)) * (_random.Next(2) == 0 ? 1 : -1),
            _ => 1000 * Normal(),
        }).ToArray();
        if (_random.Next(4) == 0)
        {
            logits[_random.Next(vocabSize)] = float.NegativeInfinity;
        }

        return logits.All(float.IsNegativeInfinity) ? Logits() : logits;
    }

    public SamplingParameters Sampling(bool truncates = true, bool adjusts = true) => new()
    {
        Temperature = _random.Next(5) switch
        {
            0 => 0,
            1 => 1,
            _ => MathF.Pow(10, (_random.NextSingle() * 4) - 2),
        },
        TopK = truncates && _random.Next(2) == 0 ? _random.Next(-1, vocabSize + 3) : 0,
        TopP = truncates && _random.Next(2) == 0 ? TopP() : 1,
        MinP = _random.Next(3) == 0 ? _random.NextSingle() : 0,
        Seed = _random.NextInt64(),
        MinTokens = adjusts && _random.Next(3) == 0 ? 1000 : 0,
        LogitBias = adjusts && _random.Next(3) == 0 ? Biases() : null,
        RepetitionPenalty = adjusts && _random.Next(2) == 0 ? 0.1f + (2 * _random.NextSingle()) : 1,
        PresencePenalty = adjusts && _random.Next(3) == 0 ? (4 * _random.NextSingle()) - 2 : 0,
        FrequencyPenalty = adjusts && _random.Next(3) == 0 ? (4 * _random.NextSingle()) - 2 : 0,
    };

    /// <summary>Somewhere in an output, with a few stop tokens.</summary>
    public SamplingState State(SamplingParameters sampling)
    {
        var state = new SamplingState(sampling, Tokens(), 0, Tokens()[..Math.Min(3, vocabSize / 2)]);
        Array.ForEach(Tokens(), state.Accept);
        return state;
    }

    public ulong[] Mask()
    {
        var mask = new ulong[(vocabSize + 63) / 64];
        for (var token = 0; token < vocabSize; token++)
        {
            mask[token / 64] |= _random.Next(3) == 0 ? 1UL << (token % 64) : 0;
        }

        mask[0] |= 1;
        return mask;
    }

    private float TopP() => _random.Next(4) switch
    {
        0 => 0.9999999f,
        1 => 1e-6f * _random.NextSingle() + 1e-12f,
        _ => MathF.BitDecrement(1 - (0.99f * _random.NextSingle() * _random.NextSingle())),
    };

    private Dictionary<int, float> Biases()
    {
        var biases = new Dictionary<int, float>();
        foreach (var token in Tokens())
        {
            biases[token] = 300 * (_random.NextSingle() - 0.5f);
        }

        return biases;
    }

    private int[] Tokens() => [.. Enumerable.Range(0, 4 + _random.Next(12)).Select(_ => _random.Next(vocabSize))];

    private float Normal() =>
        MathF.Sqrt(-2 * MathF.Log(1 - _random.NextSingle())) * MathF.Cos(2 * MathF.PI * _random.NextSingle());
}
