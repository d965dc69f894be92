using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Cluster.Operator.Local.ApiServer.Writing;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Whose requests are answered: the administrator's, by the token of the kubeconfig, and those of service accounts, by tokens that
/// were made here (<c>kubectl create token</c>). Either may stand in for somebody else.</summary>
internal sealed class Authentication(string administratorToken, TimeProvider clock)
{
    private const string Scheme = "Bearer ";

    private readonly byte[] _administrator = Hash(administratorToken);

    // By the hash of the token, so that looking one up tells nothing by the time it takes.
    private readonly ConcurrentDictionary<string, (Caller Caller, DateTimeOffset Until)> _issued = new(StringComparer.Ordinal);

    /// <returns>A token for the caller that is good until then or until this server ends.</returns>
    public string Issue(Caller caller, DateTimeOffset until)
    {
        var now = clock.GetUtcNow();
        foreach (var (hash, known) in _issued)
        {
            if (known.Until <= now)
            {
                _issued.TryRemove(hash, out _);
            }
        }

        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        _issued[Convert.ToHexString(Hash(token))] = (caller, until);
        return token;
    }

    /// <exception cref="ApiException">401 without a token that is known; 500, as of a real server, for an impersonation without a
    /// user.</exception>
    public Caller Require(HttpContext http)
    {
        var header = http.Request.Headers.Authorization.ToString();
        var hash = Hash(header.StartsWith(Scheme, StringComparison.Ordinal) ? header[Scheme.Length..] : "");
        if (CryptographicOperations.FixedTimeEquals(hash, _administrator))
        {
            return Impersonated(http.Request.Headers) ?? Caller.Administrator;
        }

        if (_issued.TryGetValue(Convert.ToHexString(hash), out var known) && clock.GetUtcNow() < known.Until)
        {
            return Impersonated(http.Request.Headers) ?? known.Caller;
        }

        http.Response.Headers.WWWAuthenticate = "Bearer";
        throw ApiErrors.Unauthorized();
    }

    private static Caller? Impersonated(IHeaderDictionary headers)
    {
        var user = headers["Impersonate-User"].ToString();
        if (user.Length > 0)
        {
            var groups = headers["Impersonate-Group"].OfType<string>().ToList();
            var uid = headers["Impersonate-Uid"].ToString();
            return Caller.Impersonated(user, groups, uid.Length == 0 ? null : uid);
        }

        return headers.Keys.Any(name => name.StartsWith("Impersonate-", StringComparison.OrdinalIgnoreCase))
            ? throw new ApiException(500, "InternalError", "Internal error occurred: impersonation names groups or a uid and no user")
            : null;
    }

    private static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}
