using System.Globalization;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Tuning;
using Cluster.Worker.Serving;

namespace Cluster.Worker.Startup;

/// <summary>PyTorch's TunableOp: its variables say whether multiplications are tuned, and its file keeps what was found. Asked by
/// <see cref="BackendFactory"/> for each rank; calls <see cref="TuningFile"/> and <see cref="GemmTuner"/>.</summary>
/// <param name="Tunes">Times what the file does not have (<c>PYTORCH_TUNABLEOP_TUNING</c>, on unless it is 0).</param>
/// <param name="FileName">See <see cref="FileOf"/> (<c>PYTORCH_TUNABLEOP_FILENAME</c>).</param>
/// <param name="Budget">Longest time for one variant (<c>PYTORCH_TUNABLEOP_MAX_TUNING_DURATION_MS</c>).</param>
internal sealed record TunableOp(bool Tunes, string FileName, TimeSpan Budget)
{
    public const string EnabledVariable = "PYTORCH_TUNABLEOP_ENABLED";
    public const string TuningVariable = "PYTORCH_TUNABLEOP_TUNING";
    public const string FileVariable = "PYTORCH_TUNABLEOP_FILENAME";
    public const string DurationVariable = "PYTORCH_TUNABLEOP_MAX_TUNING_DURATION_MS";

    public const string DefaultFileName = "tunableop_results.csv";

    private const int DefaultMilliseconds = 30;

    /// <summary>Whether a file that cannot be written is a failure: of a command that is there to write it.</summary>
    public bool RequiresFile { get; init; }

    /// <summary>Told each tuned shape; null for nobody.</summary>
    public IProgress<TunedShape>? Progress { get; init; }

    /// <summary>The variables that are read here; PyTorch has more.</summary>
    public static IReadOnlyList<string> Variables { get; } = [EnabledVariable, TuningVariable, FileVariable, DurationVariable];

    /// <param name="environment">Value of a variable, or null.</param>
    /// <returns>Null where tuning is off: <c>PYTORCH_TUNABLEOP_ENABLED</c> is not 1.</returns>
    public static TunableOp? OfEnvironment(Func<string, string?> environment) => environment(EnabledVariable) != "1" ? null
        : new TunableOp(
            environment(TuningVariable) != "0",
            environment(FileVariable) is { Length: > 0 } name ? name : DefaultFileName,
            TimeSpan.FromMilliseconds(
                int.TryParse(environment(DurationVariable), NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
                    ? milliseconds
                    : DefaultMilliseconds));

    /// <summary>The file of one device: its number stands where the name has <c>%d</c>, or else before the extension.</summary>
    public string FileOf(int rank)
    {
        var number = rank.ToString(CultureInfo.InvariantCulture);
        if (FileName.Contains("%d", StringComparison.Ordinal))
        {
            return FileName.Replace("%d", number, StringComparison.Ordinal);
        }

        var dot = FileName.LastIndexOf('.');
        return dot < 0 ? FileName + number : FileName.Insert(dot, number);
    }

    /// <summary>Gives a new backend what its file has. A file that is not there, or for something else, changes nothing.</summary>
    public void Load(Backend backend, int rank, Action<string> log)
    {
        var path = FileOf(rank);
        try
        {
            if (!File.Exists(path))
            {
                log(Tunes ? $"tuning: there is no {path} yet" : $"tuning: there is no {path}, and {TuningVariable} is 0: nothing is tuned");
                return;
            }

            var chosen = TuningFile.Read(path, Validators(backend), out var rejection);
            foreach (var (shape, variant) in chosen)
            {
                backend.Tuning.Choose(shape, variant);
            }

            log(rejection is null
                ? $"tuning: {chosen.Count} multiplications of {path}"
                : $"tuning: {path} is rejected: {rejection}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            log($"tuning: {path} cannot be read: {exception.Message}");
        }
    }

    /// <summary>Times what the loaded model's shapes lack, and writes the file. Choices of other models on the same device stay in
    /// it.</summary>
    /// <param name="mostRows">Of a step.</param>
    /// <exception cref="StartupException">The file cannot be written, and <see cref="RequiresFile"/>.</exception>
    public void Tune(Backend backend, int rank, int mostRows, Action<string> log)
    {
        var tuner = new GemmTuner(backend, backend.Tuning, Budget);
        var missing = Tunes ? tuner.Missing(mostRows) : [];
        if (missing.Count == 0)
        {
            return;
        }

        var (path, faster, done) = (FileOf(rank), 0, 0);
        log($"tuning: {missing.Count} multiplications are timed for {path}");
        tuner.Tune(
            missing,
            (shape, best, usual) =>
            {
                faster += best.Name == TunedVariant.Default ? 0 : 1;
                Progress?.Report(new TunedShape(++done, missing.Count, shape, best, usual));
            },
            CancellationToken.None);
        try
        {
            TuningFile.Write(path, Validators(backend), backend.Tuning.Chosen);
            log($"tuning: {path} written; for {faster} of {missing.Count} another variant than the usual one is faster");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            if (RequiresFile)
            {
                throw new StartupException($"tuning: {path} cannot be written: {exception.Message}", exception);
            }

            log($"tuning: {path} cannot be written, so the next start tunes again: {exception.Message}");
        }
    }

    /// <summary>What a file of this device must say. Commas would end a field.</summary>
    public static IReadOnlyList<(string Name, string Value)> Validators(Backend backend) =>
    [
        ("PT_VERSION", $"cluster-{WorkerVersion.Current}"),
        ("DEVICE", backend.Name),
        ("DEVICE_DESCRIPTION", backend.Description.Replace(',', ';')),
    ];
}
