namespace Cluster.Worker.Tokenization;

/// <summary>The forms that tokenizers are published in, in the order in which <see cref="TokenizerFile"/> looks for them.</summary>
internal enum TokenizerKind
{
    /// <summary>tokenizer.json of Hugging Face tokenizers, which says everything.</summary>
    Json,

    /// <summary>tekken.json of mistral-common.</summary>
    Tekken,

    /// <summary>tokenizer.model, a SentencePiece ModelProto.</summary>
    SentencePiece,

    /// <summary>A list of tokens in Base64 with their ranks.</summary>
    Tiktoken,

    /// <summary>vocab.json with merges.txt, GPT-2's form.</summary>
    Merges,

    /// <summary>vocab.txt, BERT's form.</summary>
    Words,
}
