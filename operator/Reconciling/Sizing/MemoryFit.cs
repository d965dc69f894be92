namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>One degree of tensor parallelism on one class of GPUs: what fits. Pure.</summary>
/// <param name="Degree">GPUs per replica.</param>
/// <param name="WeightBytes">On each GPU, those of a draft model included.</param>
/// <param name="KvBytesPerToken">On each GPU, those of a draft model included.</param>
/// <param name="RoomBytes">On each GPU for the KV cache; negative when not even the weights fit.</param>
/// <param name="NeededTokens">Tokens the cache has to hold.</param>
internal sealed record MemoryFit(int Degree, long WeightBytes, long KvBytesPerToken, long RoomBytes, long NeededTokens)
{
    /// <summary>Kernels, their scratch memory, and the buffers of collectives.</summary>
    private const long RuntimeBytes = 1L << 30;

    /// <summary>Hidden states alive at once in a layer: residual, normed input, attention's output, MLP's output.</summary>
    private const int HiddenStates = 4;

    private const int LogitBytes = 4;

    /// <summary>Tokens the cache of a replica holds: each GPU has its heads of all of them.</summary>
    public long Tokens => Math.Max(0, RoomBytes / KvBytesPerToken);

    /// <summary>On each GPU; 0 or less when all fits.</summary>
    public long MissingBytes => (NeededTokens * KvBytesPerToken) - RoomBytes;

    public bool Fits => MissingBytes <= 0;

    /// <param name="draft">Its draft model, which every GPU holds whole: it is small, and splitting it would cost more than it
    /// saves.</param>
    public static MemoryFit Of(ModelShape model, ModelShape? draft, SizingInputs inputs, long vramBytes, int degree)
    {
        var context = inputs.MaxModelLen ?? model.MaxLength;
        var weights = model.WeightBytesOn(degree) + (draft?.WeightBytes ?? 0);
        var kv = KvOn(model, degree) + (draft is null ? 0 : KvOn(draft, 1));
        var width = ((long)HiddenStates * model.HiddenSize)
            + ((((model.Heads + (2L * model.KvHeads)) * model.HeadDim) + (2L * model.IntermediateSize)) / degree);
        var rows = inputs.StepHoldsLongest == true ? Math.Max(inputs.MaxNumBatchedTokens, context) : inputs.MaxNumBatchedTokens;
        var work = (rows * width * model.ElementBytes)
            + ((long)Math.Min(inputs.MaxNumSeqs, inputs.MaxNumBatchedTokens) * model.VocabSize * LogitBytes);
        var usable = (long)(vramBytes * inputs.GpuMemoryUtilization);
        return new MemoryFit(degree, weights, kv, usable - weights - work - RuntimeBytes, (long)context * inputs.ContextSequences);

        long KvOn(ModelShape shape, int gpus) => shape.KvBytesPerTokenOn(gpus, inputs.KvElementBytes ?? shape.ElementBytes);
    }
}
