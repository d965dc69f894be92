namespace Cluster.Worker.Models.Sources;

/// <summary>What huggingface_hub reads from environment variables, with the same names, meanings and defaults. Built once by the commands
/// and handed to <see cref="HubModelStore"/>. A class rather than a record, so that no generated text ever shows the token.</summary>
internal sealed class HubEnvironment
{
    /// <summary>The one place that knows the public hub's address.</summary>
    public const string DefaultEndpoint = "https://huggingface.co";

    private static readonly FileKind TokenFile = new("an access token and nothing else", 4096);

    /// <summary>Base address of the hub or of a mirror, without a trailing slash (<c>HF_ENDPOINT</c>). May have a path, as mirrors behind a
    /// gateway do.</summary>
    public required Uri Endpoint { get; init; }

    /// <summary>Access token (<c>HF_TOKEN</c>, or the file that <c>hf auth login</c> writes); null for anonymous access. Never
    /// logged.</summary>
    public string? Token { get; init; }

    /// <summary>Where repositories are cached (<c>HF_HUB_CACHE</c>, else <c>HF_HOME/hub</c>).</summary>
    public required string CacheFolder { get; init; }

    /// <summary>No request may leave the machine (<c>HF_HUB_OFFLINE</c>).</summary>
    public bool Offline { get; init; }

    /// <summary>The environment of this process.</summary>
    /// <param name="cacheFolder">Overrides <see cref="CacheFolder"/>; null keeps what the variables say.</param>
    /// <exception cref="HubFormatException">A variable has a value that cannot be meant.</exception>
    public static HubEnvironment OfProcess(string? cacheFolder = null) =>
        From(Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), cacheFolder);

    /// <param name="variable">Value of a variable; null where it is not set.</param>
    /// <param name="userFolder">The user's home folder.</param>
    /// <param name="cacheFolder">Overrides <see cref="CacheFolder"/>; null keeps what the variables say.</param>
    /// <exception cref="HubFormatException">A variable has a value that cannot be meant.</exception>
    public static HubEnvironment From(Func<string, string?> variable, string userFolder, string? cacheFolder = null)
    {
        var home = Set("HF_HOME") is { } given
            ? Expand(given)
            : Path.Combine(Set("XDG_CACHE_HOME") is { } xdg ? Expand(xdg) : Path.Combine(userFolder, ".cache"), "huggingface");
        var cache = cacheFolder ?? Set("HF_HUB_CACHE") ?? Set("HUGGINGFACE_HUB_CACHE");
        var tokenFile = Set("HF_TOKEN_PATH") is { } path ? Expand(path) : Path.Combine(home, "token");
        return new HubEnvironment
        {
            Endpoint = ParseEndpoint(Set("HF_ENDPOINT") ?? DefaultEndpoint),
            Token = CheckedToken(Set("HF_TOKEN"), "HF_TOKEN") ?? CheckedToken(ReadToken(tokenFile), tokenFile),
            CacheFolder = Path.GetFullPath(cache is null ? Path.Combine(home, "hub") : Expand(cache)),
            Offline = Set("HF_HUB_OFFLINE")?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE",
        };

        string? Set(string name) => variable(name)?.Trim() is { Length: > 0 } value ? value : null;

        string Expand(string folder) =>
            folder == "~" || folder.StartsWith("~/", StringComparison.Ordinal) ? userFolder + folder[1..] : folder;
    }

    private static Uri ParseEndpoint(string text)
    {
        if (!Uri.TryCreate(text.TrimEnd('/'), UriKind.Absolute, out var endpoint)
            || endpoint.Scheme is not ("http" or "https")
            || endpoint.UserInfo.Length > 0
            || endpoint.Query.Length > 0
            || endpoint.Fragment.Length > 0)
        {
            throw new HubFormatException(
                "HF_ENDPOINT", "is not the address of a hub; expected http(s)://host[/path] without user, query or fragment");
        }

        return endpoint;
    }

    private static string? ReadToken(string file)
    {
        return RegularFile.IsThere(file) ? RegularFile.ReadText(file, TokenFile).Trim() : null;
    }

    /// <summary>A token goes into a header line as it is, so it must not be able to end that line.</summary>
    private static string? CheckedToken(string? token, string origin)
    {
        if (string.IsNullOrEmpty(token))
        {
            return null;
        }

        return token.All(c => c is > ' ' and < '\x7f')
            ? token
            : throw new HubFormatException(origin, "holds an access token with spaces, line breaks or non-ASCII characters in it");
    }
}
