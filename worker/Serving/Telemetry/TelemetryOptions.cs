namespace Cluster.Worker.Serving.Telemetry;

/// <summary>Where traces and metrics are pushed over OTLP, read from OpenTelemetry's own environment variables. Used by
/// <see cref="WorkerTelemetry"/>.</summary>
/// <param name="Environment">All variables: those not looked at here (headers, time limits, sampler, intervals) are the SDK's to
/// read.</param>
internal sealed record TelemetryOptions(IConfiguration Environment, bool Traces, bool Metrics)
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string Protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";

    /// <returns>Null where no endpoint is named or the SDK is disabled: nothing is to be started then.</returns>
    /// <exception cref="FormatException">A variable has a value that the SDK would silently pass over.</exception>
    public static TelemetryOptions? Read(IConfiguration environment)
    {
        if (environment[Endpoint] is not { Length: > 0 } endpoint
            || string.Equals(environment["OTEL_SDK_DISABLED"], "true", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var uri)
            || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps))
        {
            throw new FormatException($"{Endpoint} is '{endpoint}'; it must be a URL such as http://collector:4317");
        }

        if (environment[Protocol] is not (null or "" or "grpc" or "http/protobuf"))
        {
            throw new FormatException($"{Protocol} is '{environment[Protocol]}'; known are grpc (the default) and http/protobuf");
        }

        var options = new TelemetryOptions(
            environment, Exports(environment, "OTEL_TRACES_EXPORTER"), Exports(environment, "OTEL_METRICS_EXPORTER"));
        return options is { Traces: false, Metrics: false } ? null : options;
    }

    /// <exception cref="FormatException">The variable names an exporter other than OTLP's.</exception>
    private static bool Exports(IConfiguration environment, string variable) => environment[variable] switch
    {
        null or "" or "otlp" => true,
        "none" => false,
        var other => throw new FormatException($"{variable} is '{other}'; known are otlp (the default) and none"),
    };
}
