using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Verification;

/// <summary>Reference results of another implementation: prompts, the logits of every prompt position, and greedy continuations.
/// Read from a safetensors file; used by <see cref="GoldenVerification"/>.</summary>
internal sealed class GoldenFile
{
    private readonly HostTensor _inputIds;
    private readonly HostTensor? _greedyIds;
    private readonly HostTensor? _logits;

    private GoldenFile(string path, HostTensor inputIds, HostTensor? greedyIds, HostTensor? logits)
    {
        Path = path;
        _inputIds = inputIds;
        _greedyIds = greedyIds;
        _logits = logits;
    }

    public string Path { get; }

    /// <summary>Prompts.</summary>
    public int Count => _inputIds.Rows;

    /// <summary>Tokens of every prompt.</summary>
    public int PromptLength => _inputIds.RowLength;

    /// <summary>Greedy tokens that follow every prompt; 0 when the file has none.</summary>
    public int Steps => _greedyIds?.RowLength ?? 0;

    public bool HasLogits => _logits is not null;

    /// <summary>Reads <c>input_ids</c> <c>[prompts, length]</c> and, where present, <c>logits</c> F32 <c>[prompts, length, vocabulary]</c>
    /// and <c>greedy_ids</c> <c>[prompts, steps]</c>; ids are I64 or I32.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or of the wrong shape or type.</exception>
    /// <exception cref="IOException">The file does not exist or cannot be read.</exception>
    public static GoldenFile Open(string path)
    {
        var file = SafetensorsFile.Open(path, FileKind.Golden);
        var inputIds = Ids(path, file, "input_ids") ?? throw new CheckpointFormatException(path, "input_ids", "is missing");
        var greedyIds = Ids(path, file, "greedy_ids");
        var logits = file.Find("logits");
        if (greedyIds is null && logits is null)
        {
            throw new CheckpointFormatException(path, "has neither 'logits' nor 'greedy_ids': there is nothing to compare with");
        }

        if (greedyIds is not null && greedyIds.Rows != inputIds.Rows)
        {
            throw new CheckpointFormatException(path, "greedy_ids", $"has {greedyIds.Rows} rows; input_ids has {inputIds.Rows}");
        }

        if (logits is not null
            && (logits.DType != DType.F32
                || logits.Shape is not [var count, var length, > 0]
                || count != inputIds.Rows
                || length != inputIds.RowLength))
        {
            throw new CheckpointFormatException(
                path, "logits",
                $"is {logits.DType} [{string.Join(", ", logits.Shape)}]; expected F32 [{inputIds.Rows}, {inputIds.RowLength}, vocabulary]");
        }

        return new GoldenFile(path, inputIds, greedyIds, logits);
    }

    public int[] Prompt(int index) => Row(_inputIds, index);

    /// <summary>Empty when the file has none.</summary>
    public int[] Greedy(int index) => _greedyIds is null ? [] : Row(_greedyIds, index);

    /// <summary>Logits of one prompt position; only when <see cref="HasLogits"/>.</summary>
    public ReadOnlySpan<float> Logits(int prompt, int position)
    {
        var vocabulary = _logits!.Shape[2];
        return MemoryMarshal.Cast<byte, float>(_logits.Row(prompt)).Slice(position * vocabulary, vocabulary);
    }

    /// <summary>Options for a runner that takes this file's prompts: room for all of them at once, and no more cache than they
    /// fill. Inputs of layers are not rounded: the reference has dequantized weights and floats.</summary>
    public ModelRunnerOptions RunnerOptions()
    {
        const int MostRows = 1024;
        const int BlockSize = 16;
        var length = PromptLength + Steps;
        return new ModelRunnerOptions
        {
            MaxSequences = Count,
            MaxBatchedTokens = Math.Max(Count, Math.Min(MostRows, Count * PromptLength)),
            MaxLogits = Math.Max(Count, Math.Min(MostRows, Count * PromptLength)),
            MaxModelLength = length,
            BlockSize = BlockSize,
            SampleOnDevice = false,
            RoundsInputs = false,
        };
    }

    private static HostTensor? Ids(string path, SafetensorsFile file, string name)
    {
        const int MostElements = 1 << 24;
        var tensor = file.Find(name);
        if (tensor is not null
            && (tensor.DType is not (DType.I64 or DType.I32)
                || tensor.Shape is not [> 0, > 0]
                || (long)tensor.Rows * tensor.RowLength > MostElements))
        {
            throw new CheckpointFormatException(
                path, name,
                $"is {tensor.DType} [{string.Join(", ", tensor.Shape)}]; expected I64 or I32 with a row of ids for each prompt, at most "
                + $"{MostElements} in all");
        }

        return tensor;
    }

    private static int[] Row(HostTensor ids, int index)
    {
        var row = ids.Row(index);
        return ids.DType == DType.I32
            ? MemoryMarshal.Cast<byte, int>(row).ToArray()
            : Array.ConvertAll(MemoryMarshal.Cast<byte, long>(row).ToArray(), id => (int)long.Clamp(id, int.MinValue, int.MaxValue));
    }
}
