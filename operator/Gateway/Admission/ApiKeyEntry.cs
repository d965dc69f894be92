namespace Cluster.Operator.Gateway.Admission;

/// <summary>A key of the file.</summary>
/// <param name="Name">For metrics and logs.</param>
/// <param name="Digest">SHA-256 of the key, which itself is kept nowhere.</param>
/// <param name="Models">Served names that it may use; null for all.</param>
/// <param name="RequestsPerMinute">Null for any number.</param>
/// <param name="TokensPerMinute">Of prompts and answers together; null for any number.</param>
/// <param name="OpensPage">It may open the page, which shows all deployments and everybody's requests.</param>
internal sealed record ApiKeyEntry(
    string Name, byte[] Digest, IReadOnlySet<string>? Models, int? RequestsPerMinute, int? TokensPerMinute, bool OpensPage);
