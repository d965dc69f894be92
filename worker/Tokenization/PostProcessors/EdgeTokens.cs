namespace Cluster.Worker.Tokenization.PostProcessors;

/// <summary>The tokens that tokenizer_config.json puts before and after a text by <c>add_bos_token</c> and <c>add_eos_token</c>. Where it
/// has either field, transformers replaces the post-processor of tokenizer.json by one made from them (TokenizersBackend's
/// update_post_processor; of earlier versions, that of the Llama and Gemma tokenizers); where it has none, tokenizer.json decides. Called
/// by <see cref="TokenizerReader"/>.</summary>
internal static class EdgeTokens
{
    /// <summary>What classes call the tokens that their configuration leaves out; the name of the class contains the key.</summary>
    private static readonly (string Class, string Bos, string Eos)[] Defaults =
    [
        ("Llama", "<s>", "</s>"), ("Gemma", "<bos>", "<eos>"), ("GPT2", "<|endoftext|>", "<|endoftext|>"),
    ];

    /// <param name="folder">Of the checkpoint.</param>
    /// <param name="idOf">Id of a token; null for none.</param>
    /// <returns>Null where the post-processor of tokenizer.json stays.</returns>
    /// <exception cref="TokenizerFormatException">A field is malformed, or names a token that the tokenizer does not have.</exception>
    public static IPostProcessor? Read(string folder, Func<string, int?> idOf)
    {
        var path = Path.Combine(folder, TokenizerReader.ConfigFileName);
        if (!RegularFile.IsThere(path))
        {
            return null;
        }
        using var document = JsonFile.Open(path);
        JsonPart config = new(path, "", document.RootElement);
        if (!config.Has("add_bos_token") && !config.Has("add_eos_token"))
        {
            return null;
        }
        var named = SpecialTokenNames.Read(folder);
        var kind = config.OptionalString("tokenizer_class") ?? "";
        var defaults = Array.Find(Defaults, entry => kind.Contains(entry.Class, StringComparison.Ordinal));
        List<int?> template = [null];
        if (IdOf("bos", defaults.Bos) is { } bos)
        {
            template.Insert(0, bos);
        }
        if (IdOf("eos", defaults.Eos) is { } eos)
        {
            template.Add(eos);
        }
        return new TemplateProcessing(template);

        int? IdOf(string edge, string? fallback)
        {
            // Asked to add a token that it does not name, transformers adds none.
            var field = $"{edge}_token";
            if (!config.Bool($"add_{field}", false)
                || (config.Has(field) || named.ContainsKey(field) ? named.GetValueOrDefault(field) : fallback) is not { } token)
            {
                return null;
            }
            return idOf(token)
                ?? throw config.Error($"'add_{field}' is true, but '{field}' is '{token}', which is no token of the tokenizer");
        }
    }
}
