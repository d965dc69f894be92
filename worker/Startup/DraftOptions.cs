namespace Cluster.Worker.Startup;

/// <summary>What drafts tokens for speculative decoding.</summary>
/// <param name="Model">A smaller model, named as the model itself is; or <see cref="Ngram"/>.</param>
/// <param name="NumTokens">Tokens to draft per step.</param>
/// <param name="NgramMax">Longest ending of the text to look up; null for the default. Only with <see cref="Ngram"/>.</param>
/// <param name="NgramMin">Shortest such ending; null for the default.</param>
internal sealed record DraftOptions(string Model, int NumTokens, int? NgramMax = null, int? NgramMin = null)
{
    /// <summary>The value of <c>--speculative-model</c> that looks tokens up in the text so far instead of running a model.</summary>
    public const string Ngram = WorkerFlags.Ngram;

    public bool IsNgram => Model == Ngram;
}
