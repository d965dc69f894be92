namespace Cluster.Worker.Models.Checkpoints;

/// <summary>A weight file that cannot be trusted or does not hold what the model needs. The message names file, tensor (where one is to
/// blame) and reason.</summary>
internal sealed class CheckpointFormatException : FormatException
{
    public CheckpointFormatException(string file, string reason, Exception? inner = null)
        : base($"{file}: {reason}", inner)
    {
        File = file;
    }

    public CheckpointFormatException(string file, string tensor, string reason)
        : base($"{file}: tensor '{tensor}' {reason}")
    {
        File = file;
        Tensor = tensor;
    }

    /// <summary>The weight file, or the folder or source where no single file is to blame.</summary>
    public string File { get; }

    /// <summary>Null when the file as a whole is wrong.</summary>
    public string? Tensor { get; }
}
