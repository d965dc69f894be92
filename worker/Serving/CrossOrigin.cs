using Microsoft.AspNetCore.Cors.Infrastructure;

namespace Cluster.Worker.Serving;

/// <summary>Which web pages may call this server from a browser, and how (CORS). Names are vLLM's flags; <c>*</c> stands for all.</summary>
/// <param name="Origins">Such as <c>https://chat.example.org</c>; at least one.</param>
/// <param name="AllowCredentials">Whether browsers send cookies and the like.</param>
internal sealed record CrossOrigin(
    IReadOnlyList<string> Origins, IReadOnlyList<string> Methods, IReadOnlyList<string> Headers, bool AllowCredentials)
{
    public const string Any = "*";

    /// <summary>What the server answers browsers that ask.</summary>
    public void Configure(CorsPolicyBuilder policy)
    {
        // With credentials, browsers take no '*' for an answer: the page's own origin is named, as Starlette does it for vLLM.
        _ = !Origins.Contains(Any) ? policy.WithOrigins([.. Origins])
            : AllowCredentials ? policy.SetIsOriginAllowed(_ => true)
            : policy.AllowAnyOrigin();
        _ = Methods.Contains(Any) ? policy.AllowAnyMethod() : policy.WithMethods([.. Methods]);
        _ = Headers.Contains(Any) ? policy.AllowAnyHeader() : policy.WithHeaders([.. Headers]);
        if (AllowCredentials)
        {
            policy.AllowCredentials();
        }
    }
}
