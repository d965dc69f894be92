namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>One degree of tensor parallelism on one class of GPUs: what fits. Pure.</summary>
/// <param name="Degree">GPUs per replica.</param>
/// <param name="WeightBytes">On each GPU, those of a draft model included.</param>
/// <param name="KvBytesPerToken">On each GPU in all layers, those of a draft model included.</param>
/// <param name="KvBytesPerSequence">On each GPU, of a sequence of full length: less than its tokens where layers have windows.</param>
/// <param name="RoomBytes">On each GPU for the KV cache; negative when not even the weights fit.</param>
/// <param name="Context">Tokens of a sequence of full length.</param>
/// <param name="Sequences">Sequences of full length the cache has to hold.</param>
internal sealed record MemoryFit(
    int Degree, long WeightBytes, long KvBytesPerToken, long KvBytesPerSequence, long RoomBytes, int Context, int Sequences)
{
    /// <summary>Kernels, their scratch memory, and the buffers of collectives.</summary>
    private const long RuntimeBytes = 1L << 30;

    /// <summary>Hidden states alive at once in a layer: residual, normed input, attention's output, MLP's output.</summary>
    private const int HiddenStates = 4;

    private const int LogitBytes = 4;

    /// <summary>Tokens the cache of a replica holds in sequences of full length: each GPU has its heads of all of them.</summary>
    public long Tokens => (long)((Int128)Math.Max(0, RoomBytes) * Context / KvBytesPerSequence);

    /// <summary>On each GPU, of all sequences that have to fit.</summary>
    public long NeededBytes => Sequences * KvBytesPerSequence;

    /// <summary>On each GPU; 0 or less when all fits.</summary>
    public long MissingBytes => NeededBytes - RoomBytes;

    public bool Fits => MissingBytes <= 0;

    /// <param name="draft">Its draft model, which every GPU holds whole: it is small, and splitting it would cost more than it
    /// saves.</param>
    public static MemoryFit Of(ModelShape model, ModelShape? draft, SizingInputs inputs, long vramBytes, int degree)
    {
        var context = inputs.MaxModelLen ?? model.MaxLength;
        var weights = model.WeightBytesOn(degree) + (draft?.WeightBytes ?? 0);
        var width = ((long)HiddenStates * model.HiddenSize) + ((model.AttentionWidth + model.MlpWidth) / degree);
        var rows = inputs.StepHoldsLongest == true ? Math.Max(inputs.MaxNumBatchedTokens, context) : inputs.MaxNumBatchedTokens;
        var work = (rows * width * model.ElementBytes)
            + ((long)Math.Min(inputs.MaxNumSeqs, inputs.MaxNumBatchedTokens) * model.VocabSize * LogitBytes);
        var usable = (long)(vramBytes * inputs.GpuMemoryUtilization);
        return new MemoryFit(
            degree,
            weights,
            TokenBytes(model, degree) + (draft is null ? 0 : TokenBytes(draft, 1)),
            SequenceBytes(model, degree) + (draft is null ? 0 : SequenceBytes(draft, 1)),
            usable - weights - work - RuntimeBytes,
            context,
            inputs.ContextSequences);

        long TokenBytes(ModelShape shape, int gpus) => shape.KvBytesPerTokenOn(gpus, inputs.KvElementBytes ?? shape.ElementBytes);

        long SequenceBytes(ModelShape shape, int gpus) =>
            shape.KvBytesOn(gpus, inputs.KvElementBytes ?? shape.ElementBytes, context, rows);
    }
}
