namespace Cluster.Worker.Compute;

/// <summary>Reads <c>ROCR_VISIBLE_DEVICES</c>: which GPUs this process was given.</summary>
/// <remarks>ROCr itself drops what it does not understand without a word, so a mistake there would silently run on fewer GPUs. Here it is
/// an error.</remarks>
internal static class VisibleDevices
{
    public const string Variable = "ROCR_VISIBLE_DEVICES";

    /// <summary>UUIDs or indices in rank order; null when the variable is not set.</summary>
    /// <exception cref="FormatException">An entry is empty, repeated, or neither <c>GPU-</c> and 16 hex digits nor a plain decimal
    /// index.</exception>
    public static IReadOnlyList<string>? Parse(string? value)
    {
        if (value is null)
        {
            return null;
        }

        if (value.Length == 0)
        {
            return [];
        }

        var devices = value.Split(',');
        foreach (var device in devices)
        {
            if (!IsUuid(device) && !IsIndex(device))
            {
                throw new FormatException(
                    $"{Variable}='{value}': '{device}' is neither GPU- followed by 16 hex digits "
                    + "nor a decimal index without leading zeros");
            }
        }

        return devices.Distinct(StringComparer.OrdinalIgnoreCase).Count() == devices.Length
            ? devices
            : throw new FormatException($"{Variable}='{value}' names a device twice");
    }

    /// <summary>The devices of a replica, checked against its tensor-parallel degree.</summary>
    /// <exception cref="FormatException">Not exactly <paramref name="tensorParallelSize"/> devices are visible.</exception>
    public static IReadOnlyList<string> Require(string? value, int tensorParallelSize, Func<IReadOnlyList<string>> whenUnset)
    {
        var devices = Parse(value) ?? whenUnset();
        return devices.Count == tensorParallelSize
            ? devices
            : throw new FormatException(
                $"--tensor-parallel-size {tensorParallelSize} needs {tensorParallelSize} device(s), but {Variable}='{value}' shows "
                + $"{devices.Count}");
    }

    private static bool IsUuid(string device) =>
        device.Length == 20
            && device.StartsWith("GPU-", StringComparison.Ordinal)
            && device.AsSpan(4).IndexOfAnyExcept("0123456789abcdefABCDEF") < 0;

    private static bool IsIndex(string device) =>
        device.Length is > 0 and <= 4 && device.AsSpan().IndexOfAnyExceptInRange('0', '9') < 0 && (device.Length == 1 || device[0] != '0');
}
