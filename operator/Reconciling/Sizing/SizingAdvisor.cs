using System.Globalization;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Chooses the degree of tensor parallelism. Pure: same model, same GPUs, same advice. Called by
/// <see cref="SizeDecider"/>.</summary>
/// <remarks>
/// <code>
/// a degree fits   when on each GPU   weights / degree + KV cache of the context / degree + working memory ≤ VRAM · gpuMemoryUtilization
/// Throughput      the smallest degree that fits, on the smallest GPUs where one does: fewer ranks exchange less, and what
///                 is left of a node makes further replicas. Where nothing can be made of what is left (7 of 8 GPUs), the
///                 next degree that divides the node: as many replicas, no GPU idle, and rings of even length
/// Latency         the largest degree of the node with the most memory: each GPU reads a share of the weights for a token
/// </code></remarks>
internal static class SizingAdvisor
{
    /// <summary>Degrees looked at to say how many GPUs would do.</summary>
    private const int MostGpus = TensorParallelSize.Largest;

    /// <param name="model">One that can be on a GPU (<see cref="RequireDegree"/>).</param>
    /// <param name="draft">Its draft model for speculative decoding; null without.</param>
    /// <param name="classes">GPUs the pods may go to, smallest first; at least one.</param>
    /// <returns>A status whose TensorParallelSize is null when nothing fits; its message then says by how much and what would
    /// help.</returns>
    public static SizingStatus Advise(ModelShape model, ModelShape? draft, SizingInputs inputs, IReadOnlyList<GpuClass> classes)
    {
        IEnumerable<GpuClass> order = inputs.OptimizeFor == OptimizeFor.Throughput
            ? classes
            : classes.OrderByDescending(c => c.VramBytes * c.GroupSize).ThenByDescending(c => c.VramBytes);
        foreach (var gpus in order)
        {
            var table = Table(model, draft, inputs, gpus);
            var chosen = inputs.OptimizeFor == OptimizeFor.Throughput ? Fewest(table, gpus.GroupSize) : table.FindLast(f => f.Fits);
            if (chosen is not null)
            {
                return Status(model, draft, inputs, gpus, table, chosen, Praise(model, draft, inputs, gpus, table, chosen));
            }
        }

        var largest = classes.MaxBy(c => (c.VramBytes * c.GroupSize, c.VramBytes))!;
        var refused = Table(model, draft, inputs, largest);
        return Status(model, draft, inputs, largest, refused, null, Complaint(model, draft, inputs, largest, refused[^1]));
    }

    /// <exception cref="ModelConfigException">The model can be on no number of GPUs, not even on one.</exception>
    public static void RequireDegree(ModelShape model)
    {
        if (!model.Degrees(1).Any())
        {
            throw new ModelConfigException(
                $"config.json: groups of {model.Format.CutUnit} quantized weights do not divide the model's matrices: "
                + string.Join(", ", model.Weights.Where(w => !w.Divides(1)).Select(w => w.Inputs).Distinct().Select(n => $"{n} inputs")));
        }
    }

    private static List<MemoryFit> Table(ModelShape model, ModelShape? draft, SizingInputs inputs, GpuClass gpus) =>
        [.. model.Degrees(gpus.GroupSize).Select(degree => MemoryFit.Of(model, draft, inputs, gpus.VramBytes, degree))];

    private static MemoryFit? Fewest(List<MemoryFit> table, int ofNode) => table.Find(f => f.Fits) is not { } fewest ? null
        : table.Find(f => f.Fits && ofNode % f.Degree == 0 && ofNode / f.Degree == ofNode / fewest.Degree) ?? fewest;

    private static SizingStatus Status(
        ModelShape model, ModelShape? draft, SizingInputs inputs, GpuClass gpus, List<MemoryFit> table, MemoryFit? chosen,
        string message) => new()
        {
            TensorParallelSize = chosen?.Degree,
            Message = message,
            OptimizedFor = inputs.OptimizeFor.ToString(),
            Model = Describe(model),
            WeightBytes = model.WeightBytes + (draft?.WeightBytes ?? 0),
            WeightBytesPerGpu = chosen?.WeightBytes,
            KvBytesPerToken = table[0].KvBytesPerToken,
            VramBytesPerGpu = gpus.VramBytes,
            GpusPerGroup = gpus.GroupSize,
            ContextTokens = ContextOf(model, inputs),
            ContextSequences = inputs.ContextSequences,
            KvCacheTokens = chosen?.Tokens,
            FullLengthSequences = chosen is null ? null : Math.Round((double)chosen.Tokens / ContextOf(model, inputs), 1),
            Alternatives = [.. table.Select(fit => new SizingAlternative
        {
            TensorParallelSize = fit.Degree,
            Fits = fit.Fits,
            KvCacheTokens = fit.Tokens,
            MissingBytesPerGpu = fit.Fits ? null : fit.MissingBytes,
        })],
        };

    private static string Praise(
        ModelShape model, ModelShape? draft, SizingInputs inputs, GpuClass gpus, List<MemoryFit> table, MemoryFit chosen)
    {
        var held =
            $"{Demand(model, draft, inputs)} fit {Count(chosen.Degree)} of {ByteText.Of(gpus.VramBytes)}, {Percent(inputs)} "
            + $"of it used; the cache holds {Number(chosen.Tokens)} tokens, which is {Requests(model, inputs, chosen)} of full length";
        string why;
        if (inputs.OptimizeFor == OptimizeFor.Throughput)
        {
            var smaller = table.LastOrDefault(f => f.Degree < chosen.Degree && !f.Fits);
            var fewest = table.Find(f => f.Degree < chosen.Degree && f.Fits);
            var replicas = gpus.GroupSize / chosen.Degree;
            why = (smaller is null
                ? ""
                : $"; {Count(smaller.Degree)} would lack {ByteText.Of(smaller.MissingBytes)}{(smaller.Degree > 1 ? " each" : "")}")
                + (fewest is null
                    ? ""
                    : $"; {Count(fewest.Degree)} would hold it, but a node of {gpus.GroupSize} makes "
                        + $"{(replicas == 1 ? "one such replica" : $"{replicas} such replicas")} either way, and {chosen.Degree} leave "
                        + "none of its GPUs over")
                + (fewest is null && replicas > 1 ? $"; {Count(gpus.GroupSize)} of a node make {replicas} such replicas" : "");
        }
        else
        {
            why = chosen.Degree == gpus.GroupSize
                ? $"; that is all {gpus.GroupSize} of a node"
                : $"; of a node's {gpus.GroupSize} it can be split over {Choices(table)} ({Heads(model)})";
        }

        return $"{Count(chosen.Degree)} per replica for {inputs.OptimizeFor.ToString().ToLowerInvariant()}: {held}{why}";
    }

    private static string Complaint(ModelShape model, ModelShape? draft, SizingInputs inputs, GpuClass gpus, MemoryFit best)
    {
        List<string> help = [];
        if (model.Format == WeightFormat.Plain && Best(model.As(WeightFormat.Fp8), inputs) is { } fp8)
        {
            help.Add($"an FP8 checkpoint ({ByteText.Of(model.As(WeightFormat.Fp8).WeightBytes)}) would fit {Count(fp8.Degree)}");
        }

        if (inputs.KvElementBytes is null && Best(model, inputs with { KvElementBytes = 1 }) is { } smallCache)
        {
            help.Add($"engine.kvCacheDtype: fp8 would fit {Count(smallCache.Degree)}");
        }

        if (LongestContext(model, draft, inputs, gpus, best.Degree) is > 0 and var context)
        {
            help.Add($"engine.maxModelLen: {Rounded(context)} or less would fit {Count(best.Degree)}");
        }

        if (model.Degrees(MostGpus).Where(d => d > gpus.GroupSize).Select(d => MemoryFit.Of(model, draft, inputs, gpus.VramBytes, d))
            .FirstOrDefault(f => f.Fits) is { } more)
        {
            help.Add($"{Count(more.Degree)} of this size in one node would do");
        }

        var usable = (long)(gpus.VramBytes * inputs.GpuMemoryUtilization);
        var degree = best.Degree;
        var least = usable + best.MissingBytes;
        help.Add($"{Count(degree)} would need {ByteText.Of((long)(least / inputs.GpuMemoryUtilization))} each");
        var limit = degree < gpus.GroupSize ? $" of the {gpus.GroupSize} a node has it can use {degree} ({Heads(model)});" : "";
        return $"{Demand(model, draft, inputs)} do not fit {Count(degree)} of {ByteText.Of(gpus.VramBytes)}:{limit} "
            + $"{ByteText.Of(best.MissingBytes * degree)} are missing, {ByteText.Of(best.MissingBytes)} on each. What would help: "
            + $"{string.Join("; ", help)}";

        MemoryFit? Best(ModelShape shape, SizingInputs changed) => Table(shape, draft, changed, gpus).Find(f => f.Fits);
    }

    /// <summary>The model and what it needs, as the subject of a sentence.</summary>
    private static string Demand(ModelShape model, ModelShape? draft, SizingInputs inputs) =>
        $"{ByteText.Of(model.WeightBytes)} of weights "
        + $"({Describe(model)}){(draft is null ? "" : $", {ByteText.Of(draft.WeightBytes)} of a draft model on each GPU")} and "
        + $"{ByteText.Of(KvOfAll(model, draft, inputs))} of KV cache ({inputs.ContextSequences} x "
        + $"{Number(ContextOf(model, inputs))} tokens)";

    private static long KvOfAll(ModelShape model, ModelShape? draft, SizingInputs inputs) =>
        MemoryFit.Of(model, draft, inputs, 0, 1).NeededBytes;

    /// <summary>Tokens of the longest sequences that fit; 0 when not even the weights do.</summary>
    private static int LongestContext(ModelShape model, ModelShape? draft, SizingInputs inputs, GpuClass gpus, int degree)
    {
        var (fits, fails) = (0, ContextOf(model, inputs));
        while (fails - fits > 1)
        {
            var middle = fits + ((fails - fits) / 2);
            (fits, fails) = MemoryFit.Of(model, draft, inputs with { MaxModelLen = middle }, gpus.VramBytes, degree).Fits
                ? (middle, fails)
                : (fits, middle);
        }

        return fits;
    }

    private static string Describe(ModelShape model) =>
        $"{model.Type}, {ByteText.Parameters(model.Parameters)} parameters, "
        + (model.Format == WeightFormat.Plain ? $"{8 * model.ElementBytes} bits" : model.Format.Name)
        + (model.Experts is { } experts ? $", {experts.Count} experts" : "");

    private static string Heads(ModelShape model) => $"{model.Heads} attention heads, "
        + (model.Latent is null ? $"{model.KvHeads} KV heads" : "one latent cache");

    private static string Choices(List<MemoryFit> table) =>
        string.Join(", ", table.Select(f => f.Degree.ToString(CultureInfo.InvariantCulture)));

    private static string Requests(ModelShape model, SizingInputs inputs, MemoryFit fit) =>
        $"{((double)fit.Tokens / ContextOf(model, inputs)).ToString("#,0.#", CultureInfo.InvariantCulture)} requests";

    private static int ContextOf(ModelShape model, SizingInputs inputs) => inputs.MaxModelLen ?? model.MaxLength;

    private static string Percent(SizingInputs inputs) =>
        $"{(100 * inputs.GpuMemoryUtilization).ToString("0.#", CultureInfo.InvariantCulture)} %";

    private static string Number(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>Down to what a person would write.</summary>
    private static int Rounded(int tokens) => tokens >= 1024 ? tokens / 1024 * 1024 : tokens;

    private static string Count(int gpus) => ByteText.Gpus(gpus);
}
