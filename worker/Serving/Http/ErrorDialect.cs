namespace Cluster.Worker.Serving.Http;

/// <summary>How the errors of one request are spelled. An endpoint whose clients expect other than OpenAI's shape sets it among the
/// request's features; <see cref="ErrorResponses"/> asks it.</summary>
/// <param name="Spell">Status code and body for an error.</param>
internal sealed record ErrorDialect(Func<ApiException, (int Status, object Body)> Spell);
