using System.Globalization;
using System.Text;

namespace Cluster.Worker.Compute.Tuning;

/// <summary>The choices of a device as PyTorch's TunableOp keeps them: lines that say what they are valid for, and one for each
/// shape.</summary>
/// <remarks>
/// <code>
/// Validator,PT_VERSION,cluster-0.1.0
/// Validator,DEVICE,cpu AVX2 2 threads
/// GemmTunableOp_BFloat16_TN,tn_768_1_256_ld_256_256_768,Tasks2,0.0123      milliseconds
/// </code>
/// A file of PyTorch itself is valid for another PT_VERSION, and so is rejected, as PyTorch rejects ours.
/// </remarks>
internal static class TuningFile
{
    /// <summary>Larger than any model's, far smaller than what would hurt.</summary>
    private const int MostBytes = 16 << 20;

    private const string Validator = "Validator";

    private static readonly FileKind Kind = new("a file of tuned multiplications", MostBytes);

    /// <param name="validators">What holds here, in order.</param>
    /// <param name="rejection">Why the file's choices are not used; null when they are.</param>
    /// <returns>Empty where the file is rejected.</returns>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IReadOnlyDictionary<GemmShape, TunedVariant> Read(
        string path, IReadOnlyList<(string Name, string Value)> validators, out string? rejection)
    {
        var chosen = new Dictionary<GemmShape, TunedVariant>();
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        var number = 0;
        foreach (var line in RegularFile.ReadText(path, Kind).Split('\n'))
        {
            number++;
            var fields = line.TrimEnd('\r').Split(',');
            if (fields is [Validator, var name, ..])
            {
                seen[name] = string.Join(',', fields[2..]);
            }
            else if (fields is [var operation, var parameters, { Length: > 0 } variant, var time, ..]
                && GemmShape.Parse(operation, parameters) is { } shape
                && double.TryParse(time, NumberStyles.Float, CultureInfo.InvariantCulture, out var milliseconds))
            {
                chosen[shape] = new TunedVariant(variant, milliseconds);
            }
            else if (fields is not [""])
            {
                rejection = $"line {number} is no row of TunableOp: '{(line.Length > 80 ? line[..80] + "…" : line.TrimEnd('\r'))}'";
                return new Dictionary<GemmShape, TunedVariant>();
            }
        }

        rejection = validators.Select(wanted => seen.TryGetValue(wanted.Name, out var value)
                ? value == wanted.Value ? null : $"its validator {wanted.Name} is '{value}', and here it is '{wanted.Value}'"
                : $"it has no validator {wanted.Name}, which is '{wanted.Value}' here")
            .FirstOrDefault(reason => reason is not null);
        return rejection is null ? chosen : new Dictionary<GemmShape, TunedVariant>();
    }

    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(
        string path, IReadOnlyList<(string Name, string Value)> validators, IReadOnlyDictionary<GemmShape, TunedVariant> chosen)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in validators)
        {
            text.Append(CultureInfo.InvariantCulture, $"{Validator},{name},{value}\n");
        }

        foreach (var (shape, variant) in chosen.OrderBy(c => c.Key.Operation, StringComparer.Ordinal).ThenBy(c => c.Key.Outputs)
            .ThenBy(c => c.Key.Inputs).ThenBy(c => c.Key.Rows))
        {
            text.Append(
                CultureInfo.InvariantCulture, $"{shape.Operation},{shape.Parameters},{variant.Name},{variant.Milliseconds:0.######}\n");
        }

        WholeFile.Write(path, Encoding.UTF8.GetBytes(text.ToString()));
    }
}
