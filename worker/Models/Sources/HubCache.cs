using System.Text;

namespace Cluster.Worker.Models.Sources;

/// <summary>The cache on disk, laid out as huggingface_hub has it, so that both share their downloads:
/// <code>
/// models--org--name/blobs/HASH               content, named by its hash
/// models--org--name/blobs/HASH.incomplete    as far as it came
/// models--org--name/refs/main                the commit that main was when last asked
/// models--org--name/snapshots/COMMIT/FILE    → ../../blobs/HASH
/// .locks/models--org--name/HASH.lock         held while HASH is downloaded
/// </code>
/// Used by <see cref="HubModelStore"/> and <see cref="BlobDownload"/>.</summary>
internal sealed class HubCache(string folder)
{
    private static readonly FileKind Reference = new("a commit", 64);

    /// <summary>Folder of all repositories.</summary>
    public string Folder => folder;

    /// <summary>Folder of a commit's files; need not exist.</summary>
    public string SnapshotOf(HubModel model, string commit) => Path.Combine(RepositoryOf(model), "snapshots", commit);

    /// <summary>Where a file's content is or will be.</summary>
    public string BlobOf(HubModel model, BlobId blob) => Path.Combine(RepositoryOf(model), "blobs", blob.Hex);

    /// <summary>Where a file's content grows while it is downloaded.</summary>
    public string PartialOf(HubModel model, BlobId blob) => BlobOf(model, blob) + ".incomplete";

    public string LockOf(HubModel model, BlobId blob) => Path.Combine(folder, ".locks", NameOf(model), blob.Hex + ".lock");

    /// <summary>The commit that a revision was when it was last downloaded; null where it never was.</summary>
    public string? CommitOf(HubModel model)
    {
        if (HubModel.IsCommit(model.Revision))
        {
            return model.Revision;
        }

        var reference = ReferenceOf(model);
        if (LengthOf(reference) is not (>= HubModel.CommitLength and <= HubModel.CommitLength + 2))
        {
            return null;
        }

        var commit = RegularFile.ReadText(reference, Reference).Trim();
        return HubModel.IsCommit(commit) ? commit : null;
    }

    /// <summary>Remembers what a revision is now. Written last: without a connection it then leads to files that are all there.</summary>
    public void SetCommit(HubModel model, string commit)
    {
        if (HubModel.IsCommit(model.Revision) || CommitOf(model) == commit)
        {
            return;
        }

        var reference = ReferenceOf(model);
        Directory.CreateDirectory(Path.GetDirectoryName(reference)!);
        WholeFile.Write(reference, Encoding.ASCII.GetBytes(commit));
    }

    /// <summary>Whether a snapshot has a file, whole.</summary>
    public bool HasFile(HubModel model, string commit, HubFile file) =>
        LengthOf(Path.Combine(SnapshotOf(model, commit), file.Name)) is { } length && (file.Size is null || length == file.Size);

    /// <summary>Whether a content of this size is there. Its hash was checked before it got its name.</summary>
    public bool HasBlob(HubModel model, BlobId blob, long size) => LengthOf(BlobOf(model, blob)) == size;

    /// <summary>Bytes that an earlier, broken-off download left.</summary>
    public long PartialBytes(HubModel model, BlobId blob) => LengthOf(PartialOf(model, blob)) ?? 0;

    /// <summary>Makes a content visible as a file of a snapshot, at once and for all.</summary>
    public void Link(HubModel model, string commit, HubFile file)
    {
        var link = Path.Combine(SnapshotOf(model, commit), file.Name);
        var target = Path.GetRelativePath(Path.GetDirectoryName(link)!, BlobOf(model, file.Blob!));
        Directory.CreateDirectory(Path.GetDirectoryName(link)!);
        var created = Unique(link);
        File.CreateSymbolicLink(created, target);
        try
        {
            File.Move(created, link, overwrite: true);
        }
        catch
        {
            File.Delete(created);
            throw;
        }
    }

    private string RepositoryOf(HubModel model) => Path.Combine(folder, NameOf(model));

    private string ReferenceOf(HubModel model) => Path.Combine(RepositoryOf(model), "refs", model.Revision);

    private static string NameOf(HubModel model) => "models--" + model.Repository.Replace("/", "--", StringComparison.Ordinal);

    private static string Unique(string path) => Path.Combine(Path.GetDirectoryName(path)!, $".{Guid.NewGuid():N}");

    /// <summary>Follows links, and so tells a dangling one from a file.</summary>
    private static long? LengthOf(string path)
    {
        try
        {
            // What is no file is not there for the cache, and gets replaced.
            return FileNode.At(path, followLinks: true) is { Type: NodeType.Regular } file ? file.Length : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
