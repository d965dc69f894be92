using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>Numbers from the wire's unsigned types into the engine's.</summary>
internal static class WireNumber
{
    /// <exception cref="InvalidRequestException">The value does not fit.</exception>
    public static int ToInt32(uint value, string parameter) => value <= int.MaxValue
        ? (int)value
        : throw new InvalidRequestException($"{parameter} is {value}; at most {int.MaxValue} is possible", parameter);

    /// <summary>Token ids, each checked against the vocabulary.</summary>
    /// <exception cref="InvalidRequestException">An id is not in the vocabulary.</exception>
    public static int[] ToTokenIds(IReadOnlyList<uint> ids, int vocabSize, string parameter)
    {
        var tokens = new int[ids.Count];
        for (var i = 0; i < tokens.Length; i++)
        {
            tokens[i] = ids[i] < (uint)vocabSize
                ? (int)ids[i]
                : throw new InvalidRequestException($"{parameter}[{i}] is {ids[i]}; the vocabulary has {vocabSize} tokens", parameter);
        }

        return tokens;
    }

    /// <summary>Biases by token id, each id checked against the vocabulary; null for none.</summary>
    /// <exception cref="InvalidRequestException">An id is not in the vocabulary.</exception>
    public static Dictionary<int, float>? ToLogitBias(IEnumerable<KeyValuePair<long, float>> biases, int vocabSize)
    {
        var byToken = new Dictionary<int, float>();
        foreach (var (token, bias) in biases)
        {
            byToken[token >= 0 && token < vocabSize
                ? (int)token
                : throw new InvalidRequestException(
                    $"logit_bias names token {token}; the vocabulary has {vocabSize} tokens", "logit_bias")] = bias;
        }

        return byToken.Count == 0 ? null : byToken;
    }
}
