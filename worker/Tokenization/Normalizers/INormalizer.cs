namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary>Rewrites text before it is split. Called by <see cref="Tokenizer"/> on everything between added tokens.</summary>
internal interface INormalizer
{
    /// <param name="text">Well-formed UTF-16.</param>
    string Normalize(string text);
}
