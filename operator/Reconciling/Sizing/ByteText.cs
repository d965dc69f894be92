using System.Globalization;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Amounts as people read them.</summary>
internal static class ByteText
{
    private static readonly string[] Units = ["bytes", "KiB", "MiB", "GiB", "TiB"];

    /// <summary>Such as <c>131.4 GiB</c>.</summary>
    public static string Of(long bytes)
    {
        double value = bytes;
        var unit = 0;
        while (Math.Abs(value) >= 1024 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return $"{value.ToString("0.#", CultureInfo.InvariantCulture)} {Units[unit]}";
    }

    /// <summary>Such as <c>70.6 B</c>, in the field's units: thousands of thousands.</summary>
    public static string Parameters(long count) =>
        count >= 1_000_000_000
            ? $"{(count / 1e9).ToString("0.#", CultureInfo.InvariantCulture)} B"
            : $"{(count / 1e6).ToString("0.#", CultureInfo.InvariantCulture)} M";

    public static string Gpus(int count) => count == 1 ? "1 GPU" : string.Create(CultureInfo.InvariantCulture, $"{count} GPUs");
}
