using System.Globalization;

namespace Cluster.Operator.Gateway.Grpc;

/// <summary>What is left of a client's <c>grpc-timeout</c>, for every replica that its call goes to.</summary>
internal sealed class GrpcDeadline
{
    private const double MostSeconds = 90_000;

    private readonly TimeProvider _time;
    private readonly TimeSpan? _timeout;
    private readonly long _came;

    private GrpcDeadline(TimeSpan? timeout, TimeProvider time) => (_timeout, _time, _came) = (timeout, time, time.GetTimestamp());

    /// <param name="header">Up to eight digits and a unit, as in <c>1500m</c>; what is none of that sets no deadline.</param>
    public static GrpcDeadline Of(string? header, TimeProvider time)
    {
        if (header is not { Length: >= 2 and <= 9 }
            || !long.TryParse(header.AsSpan(0, header.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return new GrpcDeadline(null, time);
        }

        double? secondsPerUnit = header[^1] switch
        {
            'H' => 3600,
            'M' => 60,
            'S' => 1,
            'm' => 1e-3,
            'u' => 1e-6,
            'n' => 1e-9,
            _ => null,
        };
        return new GrpcDeadline(
            secondsPerUnit is { } seconds ? TimeSpan.FromSeconds(Math.Min(number * seconds, MostSeconds)) : null, time);
    }

    /// <summary>In milliseconds, at least one: the worker says that it is too late.</summary>
    public string? Left() => _timeout is { } timeout
        ? $"{Math.Clamp((long)(timeout - _time.GetElapsedTime(_came)).TotalMilliseconds, 1, 99_999_999)}m"
        : null;
}
