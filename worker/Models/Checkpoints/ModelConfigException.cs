namespace Cluster.Worker.Models.Checkpoints;

/// <summary>A <c>config.json</c> or <c>generation_config.json</c> that cannot be served. The message names file, field, value and what
/// would be right.</summary>
internal sealed class ModelConfigException(string file, string reason, Exception? inner = null)
    : FormatException($"{file}: {reason}", inner);
