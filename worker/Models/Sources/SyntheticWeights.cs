using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Sources;

/// <summary>Random bf16 weights of a configuration's shapes, generated when asked for and freed when the tensor is no longer reachable.
/// A tensor depends on its name alone, so two workers, or two calls, get the same model.</summary>
internal sealed class SyntheticWeights : WeightSource
{
    /// <summary>Weights are uniform within ± this; their deviation is then the 0.02 of Llama's initializer.</summary>
    private const float Amplitude = 0.0346f;

    private readonly Dictionary<string, ImmutableArray<int>> _shapes = new(StringComparer.Ordinal);

    public SyntheticWeights(string location, ModelConfig config)
    {
        Location = location;
        var names = config.Architecture.WeightNames;
        var kvSize = config.NumKvHeads * config.HeadDim;
        _shapes.Add(names.Embedding, [config.VocabSize, config.HiddenSize]);
        _shapes.Add(names.FinalNorm + ".weight", [config.HiddenSize]);
        if (!config.TieWordEmbeddings)
        {
            _shapes.Add(names.Output + ".weight", [config.VocabSize, config.HiddenSize]);
        }

        for (var layer = 0; layer < config.NumLayers; layer++)
        {
            void Vector(string name) => _shapes.Add(names.InLayer(layer, name) + ".weight", [config.HiddenSize]);
            void Linear(string name, int outFeatures, int inFeatures) =>
                _shapes.Add(names.InLayer(layer, name) + ".weight", [outFeatures, inFeatures]);
            Vector(names.AttentionNorm);
            Linear(names.Qkv[0], config.AttentionSize, config.HiddenSize);
            Linear(names.Qkv[1], kvSize, config.HiddenSize);
            Linear(names.Qkv[2], kvSize, config.HiddenSize);
            Linear(names.AttentionOutput, config.HiddenSize, config.AttentionSize);
            Vector(names.MlpNorm);
            Linear(names.GateUp[0], config.IntermediateSize, config.HiddenSize);
            Linear(names.GateUp[1], config.IntermediateSize, config.HiddenSize);
            Linear(names.Down, config.HiddenSize, config.IntermediateSize);
        }

        TotalBytes = _shapes.Values.Sum(shape => shape.Aggregate((long)DType.BF16.Size(), (bytes, dimension) => bytes * dimension));
    }

    /// <summary>Numbers are left as memory has them.</summary>
    public bool IsEmpty { get; init; }

    public override string Location { get; }

    public override IReadOnlyCollection<string> Names => _shapes.Keys;

    public override long TotalBytes { get; }

    public override unsafe HostTensor? Find(string name)
    {
        if (!_shapes.TryGetValue(name, out var shape))
        {
            return null;
        }

        var count = shape.Aggregate(1L, (product, dimension) => product * dimension);
        var memory = new NativeBlock(count * sizeof(ushort));
        var values = (ushort*)memory.Address;
        var isNorm = shape.Length == 1;
        var state = Hash(name);
        for (long i = 0; i < (IsEmpty ? 0 : count); i++)
        {
            values[i] = isNorm ? BFloat16Bits(1) : BFloat16Bits(Uniform(ref state) * Amplitude);
        }

        return new HostTensor(name, DType.BF16, shape, memory.Address, memory);
    }

    /// <summary>A number in [-1, 1), by xorshift64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Uniform(ref ulong state)
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (int)(state >> 32) * (1f / (1L << 31));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort BFloat16Bits(float value) => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);

    /// <summary>FNV-1a; never 0, from which xorshift does not move.</summary>
    private static ulong Hash(string name)
    {
        var hash = 14695981039346656037UL;
        foreach (var character in name)
        {
            hash = (hash ^ character) * 1099511628211UL;
        }

        return hash | 1;
    }
}
