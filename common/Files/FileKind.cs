namespace Cluster.Common.Files;

/// <summary>What a file is read as: how messages call it, and how large it may be. Read by <see cref="RegularFile"/>.</summary>
/// <param name="Name">With its article, such as "a tokenizer".</param>
/// <param name="MaxBytes">Far above any real one, and small enough to hold in memory where it is read whole.</param>
internal sealed record FileKind(string Name, long MaxBytes)
{
    /// <summary>config.json, generation_config.json, quantize_config.json.</summary>
    public static FileKind ModelConfig { get; } = new("a model's configuration", 4 << 20) { StaysInFolder = true };

    /// <summary>tokenizer.json and the tables beside it. Gemma's has 33 MB.</summary>
    public static FileKind Tokenizer { get; } = new("a tokenizer", 256 << 20) { StaysInFolder = true };

    public static FileKind ChatTemplate { get; } = new("a chat template", 4 << 20) { StaysInFolder = true };

    /// <summary>Tells which tensor is in which file.</summary>
    public static FileKind WeightIndex { get; } = new("a weight index", 100_000_000) { StaysInFolder = true };

    /// <summary>Mapped, never read whole. Their headers have a limit of their own.</summary>
    public static FileKind Weights { get; } = new("weights", 1L << 43) { StaysInFolder = true };

    /// <summary>Reference results, which lie wherever the user has them.</summary>
    public static FileKind Golden { get; } = new("reference results", 1L << 38);

    public static FileKind Dataset { get; } = new("a dataset", 1L << 35);

    /// <summary>Certificates, keys, tokens, lists of API keys.</summary>
    public static FileKind Secret { get; } = new("a certificate, key or token", 1 << 20);

    public static FileKind Kubeconfig { get; } = new("a kubeconfig", 16 << 20);

    public static FileKind Manifest { get; } = new("a manifest", 64 << 20);

    /// <summary>The file is part of a downloaded folder: a link in it may not lead out of it.</summary>
    public bool StaysInFolder { get; init; }
}
