using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;

namespace Cluster.Worker.Models.Sources;

/// <summary>Words the ways in which a request at the hub fails, with what the user can do. Used by <see cref="HubClient"/>.</summary>
internal static class HubErrors
{
    /// <param name="asked">The address of the hub that was asked; never the signed address that it redirected to.</param>
    /// <param name="page">The repository's page, where access is asked for.</param>
    /// <param name="what">What was asked for: <c>file 'config.json'</c>, or <c>revision 'main'</c>.</param>
    public static HubException OfStatus(
        HttpResponseMessage response, HubModel model, string asked, string page, string what, bool hasToken, TimeProvider time)
    {
        var code = response.Headers.TryGetValues("X-Error-Code", out var codes) ? codes.FirstOrDefault() : null;
        var status = (int)response.StatusCode;
        return (response.StatusCode, code) switch
        {
            (_, "GatedRepo") => new HubException(
                $"{asked}: access to {model.Repository} is gated ({status}): "
                + (hasToken ? "ask for access" : "set HF_TOKEN to a token of an account that has access, or ask for it")
                + $" on {page}"),
            (_, "DisabledRepo") => new HubException($"{asked}: the hub has disabled {model.Repository} ({status}); see {page}"),
            (_, "RevisionNotFound") => new HubException(
                $"{asked}: {model.Repository} has no revision '{model.Revision}' ({status}); its branches and tags are on {page}"),
            (_, "EntryNotFound") =>
                new HubException($"{asked}: {model.Repository} has no {what} at revision '{model.Revision}' ({status})"),

            // The hub answers 401 for a repository that does not exist, so as not to tell which private ones do.
            (_, "RepoNotFound") => new HubException(
                $"{asked}: there is no repository {model.Repository}, or it is private ({status}): check the name"
                + (hasToken ? " and that the account of HF_TOKEN may read it" : ", or set HF_TOKEN to a token that may read it")),
            (HttpStatusCode.Unauthorized, _) => new HubException(
                $"{asked}: "
                + (hasToken
                    ? "the hub does not accept the token of HF_TOKEN (or of the file HF_HOME/token)"
                    : "the hub wants to know who asks: set HF_TOKEN")
                + $" (401); the model's page is {page}"),
            (HttpStatusCode.Forbidden, _) => new HubException(
                $"{asked}: access is refused (403): "
                + (hasToken ? "the token of HF_TOKEN may not read" : "set HF_TOKEN to a token that may read")
                + $" {model.Repository}; request access to a gated model on {page}"),
            (HttpStatusCode.NotFound, _) =>
                new HubException($"{asked}: {model.Repository} has no {what} (404), or there is no such repository; its page is {page}"),
            (HttpStatusCode.TooManyRequests, _) => new HubException(
                $"{asked}: the hub limits the rate of requests (429){(hasToken ? "" : "; with HF_TOKEN set the limit is higher")}")
            {
                IsTransient = true,
                RetryAfter = RetryAfter(response.Headers, time)
            },
            (HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError, _) => new HubException(
                $"{asked}: the server failed ({status})")
            {
                IsTransient = true,
                RetryAfter = RetryAfter(response.Headers, time)
            },
            _ => new HubException($"{asked}: unexpected answer {status} {response.ReasonPhrase}"),
        };
    }

    /// <summary>The host that the hub redirected to refused. Its addresses are signed for a while; a new attempt gets a new one.</summary>
    public static HubException OfStorage(HttpResponseMessage response, string asked) =>
        new($"{asked}: the storage that the hub redirects to answered {(int)response.StatusCode}") { IsTransient = true };

    public static HubException OfStall(string asked, TimeSpan limit) =>
        new($"{asked}: no data arrived for {limit.TotalSeconds:0.###} s") { IsTransient = true };

    /// <summary>A connection that could not be made or was cut.</summary>
    public static HubException OfConnection(string asked, Exception exception) =>
        exception.InnerException is AuthenticationException certificate
        ? new HubException($"{asked}: no secure connection: {certificate.Message}", exception)
        : new HubException($"{asked}: {exception.Message}", exception) { IsTransient = true };

    /// <summary>A date is of the server's clock, which need not agree with ours; its answer says what that shows now.</summary>
    private static TimeSpan? RetryAfter(HttpResponseHeaders headers, TimeProvider time)
    {
        var wait = headers.RetryAfter?.Delta ?? headers.RetryAfter?.Date - (headers.Date ?? time.GetUtcNow());
        return wait is { } given && given < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }
}
