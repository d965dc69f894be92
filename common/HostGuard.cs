using System.Net;

namespace Cluster.Common;

/// <summary>Under which names a listener on loopback may be asked, and by pages of which sites. A page of any site can have its own name
/// resolve to 127.0.0.1 (DNS rebinding) and then ask as if it were of the same origin; the Host header still tells.</summary>
/// <remarks>Pure; every listener calls it before anything else. On other addresses it checks nothing unless names are given: there, who
/// may connect is a matter of the network and of keys, and a pod is asked under names that it cannot know.</remarks>
internal sealed class HostGuard
{
    public const string Flag = "--allowed-hosts";
    public const string OriginFlag = "--allowed-origins";
    public const string Any = "*";

    private readonly IPAddress _bound;
    private readonly IReadOnlyList<string> _hosts;
    private readonly IReadOnlyList<string> _origins;

    /// <param name="bound">Where the listener is.</param>
    /// <param name="allowedHosts">Further names without ports; <c>*.example.com</c> is every name below one, <c>*</c> every name.</param>
    /// <param name="allowedOrigins">Such as <c>https://example.com</c>, or <c>*</c>.</param>
    public HostGuard(IPAddress bound, IReadOnlyList<string> allowedHosts, IReadOnlyList<string> allowedOrigins)
    {
        _bound = Plain(bound);
        _hosts = [.. allowedHosts.Select(Normalized)];
        _origins = [.. allowedOrigins.Select(origin => origin.TrimEnd('/'))];
    }

    public bool IsOn => IPAddress.IsLoopback(_bound) || _hosts.Count > 0;

    /// <param name="host">The Host header or <c>:authority</c>; empty when there was none, as from no browser.</param>
    /// <param name="origin">The Origin header; null when there was none.</param>
    /// <returns>Null when the request may pass.</returns>
    public HostRefusal? Check(string host, string? origin)
    {
        if (!IsOn)
        {
            return null;
        }

        if (host.Length > 0 && !Allows(NameOf(host)))
        {
            return new HostRefusal(
                421,
                $"this server is not asked under the name '{Shown(host)}'; ask it as localhost or {_bound}, or start it with "
                + $"{Flag} {Shown(NameOf(host) ?? "NAME")}");
        }

        if (origin is not null && !AllowsOrigin(origin))
        {
            return new HostRefusal(
                403, $"pages of '{Shown(origin)}' may not use this server; start it with {OriginFlag} {Shown(origin)} if they shall");
        }

        return null;
    }

    private bool AllowsOrigin(string origin) =>
        _origins.Contains(Any)
        || _origins.Contains(origin, StringComparer.OrdinalIgnoreCase)
        || (Uri.TryCreate(origin, UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https"
            && uri.PathAndQuery == "/"
            && Allows(NameOf(uri.Authority)));

    private bool Allows(string? name)
    {
        if (name is null)
        {
            return false;
        }

        if (IPAddress.TryParse(name, out var address))
        {
            address = Plain(address);
            return IPAddress.IsLoopback(address)
                || (address.Equals(_bound) && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any))
                || _hosts.Contains(Any)
                || _hosts.Any(host => IPAddress.TryParse(host, out var allowed) && Plain(allowed).Equals(address));
        }

        return name == "localhost" || name.EndsWith(".localhost", StringComparison.Ordinal) || _hosts.Any(host => Covers(host, name));
    }

    private static bool Covers(string host, string name) =>
        host == Any
        || host == name
        || (host.StartsWith("*.", StringComparison.Ordinal) && name.EndsWith(host[1..], StringComparison.Ordinal));

    /// <summary>Without port and brackets; null for what is no name with a port.</summary>
    private static string? NameOf(string host)
    {
        if (host.StartsWith('['))
        {
            var end = host.IndexOf(']', StringComparison.Ordinal);
            return end > 0 && IsPort(host.AsSpan(end + 1)) ? host[1..end] : null;
        }

        var colon = host.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? Normalized(host) : colon > 0 && IsPort(host.AsSpan(colon)) ? Normalized(host[..colon]) : null;
    }

    private static bool IsPort(ReadOnlySpan<char> text) =>
        text.IsEmpty || (text[0] == ':' && text.Length <= 6 && !text[1..].ContainsAnyExceptInRange('0', '9'));

    /// <summary>Names are the same in any case, and with the dot of the root.</summary>
    private static string Normalized(string host)
    {
        var name = host.Trim().ToLowerInvariant();
        name = name.Length > 1 && name.EndsWith('.') ? name[..^1] : name;
        return name.Length > 2 && name[0] == '[' && name[^1] == ']' ? name[1..^1] : name;
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    /// <summary>What a caller sent, as far as it fits into a message.</summary>
    private static string Shown(string text) => text.Length <= 100 ? text : string.Concat(text.AsSpan(0, 100), "…");
}
