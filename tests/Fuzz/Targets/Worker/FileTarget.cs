using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Tests.Fuzz;
using Cluster.Worker.Tokenization;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>One file of a checkpoint's folder. Whatever is refused must name the file or its folder: who starts a worker must find
/// it.</summary>
/// <param name="file">Its name.</param>
/// <param name="read">Reads it, by its path.</param>
/// <param name="hasTokenizer">Whether a sound tokenizer.json lies beside it.</param>
internal sealed class FileTarget(
    string name, string file, IReadOnlyList<byte[]> seeds, IMutator mutator, Action<string> read, bool hasTokenizer = true) : IFuzzTarget
{
    private readonly TemporaryFolder _folder = Prepare(
        new TemporaryFolder().With("config.json", RepositoryFiles.Read("deploy/samples/models/haiku-1m/config.json")), hasTokenizer);

    public string Name => name;

    public IReadOnlyList<byte[]> Seeds => seeds;

    public IMutator Mutator => mutator;

    public FuzzLimits Limits { get; init; } = FuzzLimits.Default;

    public Verdict Run(byte[] input)
    {
        try
        {
            read(_folder.Write(file, input));
            return Verdict.Accepted;
        }
        catch (Exception exception) when (exception is CheckpointFormatException or ModelConfigException or TokenizerFormatException
            or ChatTemplateException)
        {
            return exception.Message.Contains(_folder.Path, StringComparison.Ordinal)
                ? Verdict.Refused(exception.Message.Replace(_folder.Path, "", StringComparison.Ordinal))
                : throw new FuzzFailure("a refusal names the file", exception.Message);
        }
    }

    public void Dispose() => _folder.Dispose();

    private static TemporaryFolder Prepare(TemporaryFolder folder, bool hasTokenizer) =>
        hasTokenizer ? folder.With("tokenizer.json", Tokenizers.Json("byte level BPE")) : folder;
}
