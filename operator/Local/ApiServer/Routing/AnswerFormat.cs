namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>How the client wants objects: whole, as a table, or their metadata only. The first form of the Accept header that is known
/// wins.</summary>
internal enum AnswerForm
{
    Objects,
    Table,
    Metadata,
}

internal static class AnswerFormat
{
    /// <exception cref="ApiException">406: no JSON is wanted. Clients that prefer protobuf name JSON after it.</exception>
    public static AnswerForm Negotiate(string? accept)
    {
        if (string.IsNullOrWhiteSpace(accept))
        {
            return AnswerForm.Objects;
        }

        foreach (var range in accept.Split(','))
        {
            var parameters = range.Split(';').Select(part => part.Trim()).ToList();
            if (parameters[0] is not ("application/json" or "*/*" or "application/*" or ""))
            {
                continue;
            }
            if (parameters.Contains("as=Table") && parameters.Contains("g=meta.k8s.io"))
            {
                return AnswerForm.Table;
            }
            if (parameters.Contains("as=PartialObjectMetadata") || parameters.Contains("as=PartialObjectMetadataList"))
            {
                return AnswerForm.Metadata;
            }
            if (!parameters.Any(part => part.StartsWith("as=", StringComparison.Ordinal)))
            {
                return AnswerForm.Objects;
            }
        }
        throw ApiErrors.NotAcceptable(Answers.Json);
    }

    /// <returns>The version of aggregated discovery asked for, null for the plain documents.</returns>
    public static string? AggregatedDiscovery(string? accept)
    {
        foreach (var range in (accept ?? "").Split(','))
        {
            var parameters = range.Split(';').Select(part => part.Trim()).ToList();
            if (parameters.Contains("as=APIGroupDiscoveryList") && parameters.Contains("g=apidiscovery.k8s.io"))
            {
                return parameters.Contains("v=v2") ? "v2" : "v2beta1";
            }
            if (parameters.Count == 1 && parameters[0] == "application/json")
            {
                return null;
            }
        }
        return null;
    }
}
