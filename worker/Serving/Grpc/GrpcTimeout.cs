namespace Cluster.Worker.Serving.Grpc;

/// <summary>The <c>grpc-timeout</c> header: 1 to 8 ASCII digits and a unit, <c>H M S m u n</c> (gRPC over HTTP/2, "Timeout").</summary>
internal static class GrpcTimeout
{
    private const int MaxDigits = 8;

    /// <summary>False when the text is not a timeout. Nanoseconds round up to ticks, so a timeout is never shorter than asked.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > MaxDigits + 1)
        {
            return false;
        }

        var value = 0L;
        foreach (var digit in text[..^1])
        {
            if (!char.IsAsciiDigit(digit))
            {
                return false;
            }

            value = (value * 10) + (digit - '0');
        }

        // 99999999 hours are 11 000 years: the largest value fits ticks.
        long? ticks = text[^1] switch
        {
            'H' => value * TimeSpan.TicksPerHour,
            'M' => value * TimeSpan.TicksPerMinute,
            'S' => value * TimeSpan.TicksPerSecond,
            'm' => value * TimeSpan.TicksPerMillisecond,
            'u' => value * TimeSpan.TicksPerMicrosecond,
            'n' => (value + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick,
            _ => null,
        };
        timeout = new TimeSpan(ticks ?? 0);
        return ticks is not null;
    }
}
