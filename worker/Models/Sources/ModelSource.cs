using Cluster.Worker.Models.Checkpoints.Gguf;

namespace Cluster.Worker.Models.Sources;

/// <summary>What <c>--model</c> names, taken apart: a folder, a GGUF file or a repository of the hub. Parsed by the commands;
/// <see cref="HubModelStore"/> brings the latter onto the disk.</summary>
internal abstract record ModelSource
{
    private const string HubScheme = "hf://";

    private ModelSource()
    {
    }

    /// <summary>What a model is called in the API when <c>--served-model-name</c> does not say.</summary>
    public abstract string DefaultName { get; }

    /// <summary>A checkpoint on this machine: a folder, or a GGUF file, which is as good as one.</summary>
    internal sealed record Folder(string Path) : ModelSource
    {
        public override string DefaultName => System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(Path)) is var name
            && name.EndsWith(GgufModel.Ending, StringComparison.OrdinalIgnoreCase)
                ? name[..^GgufModel.Ending.Length]
                : name;
    }

    /// <summary>Random weights: a name of <see cref="SyntheticModel"/>.</summary>
    internal sealed record Synthetic(string Name) : ModelSource
    {
        public override string DefaultName => Name;
    }

    /// <summary>A repository to download, or to take from the cache.</summary>
    internal sealed record Hub(HubModel Model) : ModelSource
    {
        public override string DefaultName => Model.Repository;
    }

    /// <param name="text">A folder, a GGUF file, <c>hf://org/name</c>, <c>hf://org/name@revision</c>, or <c>org/name</c> where no folder
    /// has that name.</param>
    /// <param name="revision">The <c>--revision</c> flag; null where it was not given.</param>
    /// <param name="folderExists">Asks the disk whether a path is a folder or a GGUF file.</param>
    /// <exception cref="HubFormatException">The text is none of these.</exception>
    public static ModelSource Parse(string text, string? revision, Func<string, bool> folderExists)
    {
        var hasScheme = text.StartsWith(HubScheme, StringComparison.Ordinal);
        if (!hasScheme && folderExists(text))
        {
            return revision is null
                ? new Folder(text)
                : throw new HubFormatException($"--revision {revision}", $"'{text}' is on this machine and has no revisions");
        }

        if (!HubModel.TryParse(hasScheme ? text[HubScheme.Length..] : text, out var model))
        {
            throw new HubFormatException(
                $"model '{text}'",
                hasScheme
                    ? "does not name a repository; expected hf://org/name or hf://org/name@revision"
                    : "is neither a folder or GGUF file that exists nor a repository (org/name or hf://org/name@revision)");
        }

        if (revision is null)
        {
            return new Hub(model);
        }

        if (!HubModel.IsRevision(revision))
        {
            throw new HubFormatException($"--revision {revision}", "cannot be a branch, a tag or a commit");
        }

        return !text.Contains('@') || model.Revision == revision
            ? new Hub(model with { Revision = revision })
            : throw new HubFormatException($"--revision {revision}", $"contradicts '{text}'");
    }
}
