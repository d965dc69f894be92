using Cluster.Worker.Engine;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Startup;

/// <summary>What the small files of a checkpoint say of text: how it becomes tokens and back, and how it is sampled. Read before the
/// weights, which may take minutes, so that what is wrong with it shows at once. Made for <see cref="TextEngine"/>; <c>serve</c> makes it
/// while it begins to listen.</summary>
/// <param name="ChatTemplate">Null when there is none.</param>
/// <param name="EndOfSequence">The tokenizer's token for it, which need not be among the model's.</param>
/// <param name="Defaults">How requests are sampled that do not say it.</param>
/// <param name="EosTokenIds">Tokens that end a sequence by <c>generation_config.json</c>.</param>
internal sealed record ModelText(
    Tokenizer Tokenizer, IChatTemplate? ChatTemplate, int? EndOfSequence, SamplingDefaults Defaults,
    IReadOnlyCollection<int> EosTokenIds)
{
    /// <param name="log">What to tell: one line per fact.</param>
    /// <param name="time">Measures how long the load is at one place; null for the system's.</param>
    /// <exception cref="StartupException">The options do not fit the files.</exception>
    /// <exception cref="TokenizerFormatException">The tokenizer is malformed or holds an unknown part.</exception>
    public static ModelText Load(StartupOptions options, ModelFolders folders, Action<string> log, TimeProvider? time = null)
    {
        using var watch = LoadWatch.Start(time ?? TimeProvider.System, log);
        try
        {
            var tokenizer = Tokenizer.Load(folders.Model);
            var chatTemplate = ServedTemplate.Load(folders.Model, options.ChatTemplate, log);
            var endOfSequence = SpecialTokenNames.EndOfSequence(folders.Model, tokenizer);
            var defaults = GenerationDefaults.Load(folders.Model, options.GenerationConfig, options.GenerationOverrides, log);
            return new ModelText(
                tokenizer, chatTemplate, endOfSequence, defaults,
                GenerationDefaults.EosTokenIds(folders.Model, options.GenerationConfig));
        }
        catch (ArgumentException exception)
        {
            throw new StartupException(exception.Message, exception);
        }
    }
}
