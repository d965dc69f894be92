namespace Cluster.Worker.Tokenization;

/// <summary>A text that this tokenizer cannot encode, though the tokenizer itself is sound. Serving answers it as a bad request.</summary>
internal sealed class TokenizationException(string message, Exception? inner = null) : Exception(message, inner);
