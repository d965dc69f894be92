namespace Cluster.Worker.Tokenization;

/// <summary>A tokenizer file is malformed or holds a part this worker does not know. The message names the file and the place in
/// it.</summary>
internal sealed class TokenizerFormatException(string message, Exception? inner = null) : FormatException(message, inner);
