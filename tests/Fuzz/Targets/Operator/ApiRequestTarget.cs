namespace Cluster.Fuzz.Targets.Operator;

/// <summary>Requests at the local API server: any method, path, query, headers and body.</summary>
internal sealed class ApiRequestTarget(string name) : IFuzzTarget
{
    private readonly LocalServer _server = new();

    public string Name => name;

    public IReadOnlyList<byte[]> Seeds { get; } =
        [.. SeedFiles.Under("tests/fixtures/seeds/api-requests", "*.txt")];

    public IMutator Mutator { get; } = new HeadMutator(
        new PieceMutator(
            "GET ", "POST ", "PUT ", "DELETE ", "/", "there", "/status", "/scale", "/log", "?", "&", "=", "%2C",
            "labelSelector=a in (b)", "fieldSelector=metadata.name!=x",
            "limit=-1", "limit=9223372036854775807", "continue=x", "resourceVersion=-1", "resourceVersion=99999999999999999999",
            "sinceSeconds=9223372036854775807",
            "sinceSeconds=-9223372036854775807", "tailLines=-1", "dryRun=All", "fieldManager=", "fieldValidation=Strict",
            "propagationPolicy=Orphan", "gracePeriodSeconds=-5",
            "timeoutSeconds=-1", "includeObject=Object", "\nAccept: application/json;as=Table;v=v1;g=meta.k8s.io",
            "\nContent-Type: application/yaml",
            "\nContent-Type: application/vnd.kubernetes.protobuf", "pods", "services", "namespaces", "nodes", "events", "deployments",
            "leases"),
        new AnyMutator(
            new TextMutator(
                "\"there\"", "{\"name\": \"x\"}", "\"2026-01-01T00:00:00Z\"", "\"metadata\"", "\"managedFields\"",
                "[{\"manager\": \"a\", \"fieldsV1\": {\"f:a\": {}}}]"),
            new ValueMutator(), new ProtobufMutator()),
        headOneOf: 3);

    public FuzzLimits Limits { get; } = FuzzLimits.Default with { Cost = 4 };

    public Verdict Run(byte[] input)
    {
        var request = RequestText.Read(input, _server.Address, "application/json");
        if (request is null)
        {
            return Verdict.Refused("no request");
        }

        try
        {
            var (status, text) = _server.Send(request);
            return status < 400 ? Verdict.Accepted : Verdict.Refused($"{status} {text}");
        }
        catch (HttpRequestException exception) when (exception.HttpRequestError == HttpRequestError.Unknown)
        {
            return Verdict.Refused("the client does not send it");
        }
    }

    public void Dispose() => _server.Dispose();
}
