using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>A request that <see cref="FakeHub"/> got.</summary>
/// <param name="AtStorage">Whether it came to the host that the hub redirects large files to.</param>
/// <param name="Target">Path and query as they were on the wire.</param>
internal sealed record FakeHubRequest(bool AtStorage, string Method, string Target, string? Authorization, long? From)
{
    public bool IsListing => Target.StartsWith("/api/", StringComparison.Ordinal);
}

/// <summary>One repository on two loopback listeners, as the hub has it: the API and small files on the first, large files (LFS) on the
/// second, by redirect.</summary>
internal sealed class FakeHub : IAsyncDisposable
{
    public const string Repository = "test/model";
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly WebApplication _application;
    private readonly Dictionary<string, (byte[] Content, bool Large)> _files = new(StringComparer.Ordinal);

    private FakeHub()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        _application = builder.Build();
        _application.Run(AnswerAsync);
    }

    public ConcurrentQueue<FakeHubRequest> Requests { get; } = new();

    /// <summary>Revisions besides the commit itself.</summary>
    public Dictionary<string, string> Branches { get; } = new(StringComparer.Ordinal) { ["main"] = Commit };

    /// <summary>The token that the hub wants; null lets everyone in.</summary>
    public string? Token { get; set; }

    /// <summary>Called first; true if it has answered (or broken) the request itself.</summary>
    public Func<FakeHubRequest, HttpContext, Task<bool>> Interfere { get; set; } = (_, _) => Task.FromResult(false);

    /// <summary>Changes the listing before it is sent.</summary>
    public Action<JsonObject> EditListing { get; set; } = _ => { };

    public bool SupportsRanges { get; set; } = true;

    public Uri Address => new(_application.Urls.First());

    private Uri StorageAddress => new(_application.Urls.Last());

    public static async Task<FakeHub> StartAsync()
    {
        var hub = new FakeHub();
        await hub._application.StartAsync();
        return hub;
    }

    /// <param name="large">Kept in LFS: named by SHA-256 and served by the storage host.</param>
    public byte[] Add(string name, byte[] content, bool large = false)
    {
        _files[name] = (content, large);
        return content;
    }

    public byte[] Add(string name, string content) => Add(name, Encoding.UTF8.GetBytes(content));

    public static string HashOf(byte[] content, bool large) => large
        ? Convert.ToHexStringLower(SHA256.HashData(content))
        : Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));

    public JsonObject Listing()
    {
        var siblings = new JsonArray();
        foreach (var (name, (content, large)) in _files)
        {
            var sibling = new JsonObject { ["rfilename"] = name, ["size"] = content.Length, ["blobId"] = HashOf(content, large: false) };
            if (large)
            {
                sibling["lfs"] = new JsonObject { ["sha256"] = HashOf(content, large), ["size"] = content.Length, ["pointerSize"] = 134 };
            }

            siblings.Add(sibling);
        }

        var listing = new JsonObject { ["id"] = Repository, ["sha"] = Commit, ["private"] = false, ["siblings"] = siblings };
        EditListing(listing);
        return listing;
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    /// <summary>Sends a file, or the part of it that was asked for.</summary>
    public async Task SendAsync(HttpContext context, byte[] content)
    {
        var from = 0L;
        if (SupportsRanges && RangeHeaderValue.TryParse(context.Request.Headers.Range, out var range))
        {
            from = range.Ranges.Single().From!.Value;
            if (from >= content.Length)
            {
                context.Response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
                return;
            }

            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {from}-{content.Length - 1}/{content.Length}";
        }

        context.Response.ContentLength = content.Length - from;
        if (context.Request.Method != HttpMethods.Head)
        {
            await context.Response.Body.WriteAsync(content.AsMemory((int)from));
        }
    }

    /// <summary>Promises the rest of a file and closes the connection after some bytes of it, all of which arrive (an abort would lose some
    /// on the way).</summary>
    public static async Task CutAsync(HttpContext context, FakeHubRequest request, byte[] content, int after)
    {
        var from = (int)(request.From ?? 0);
        if (from > 0)
        {
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {from}-{content.Length - 1}/{content.Length}";
        }

        context.Response.ContentLength = content.Length - from;
        await context.Response.Body.WriteAsync(content.AsMemory(from, after));
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var request = new FakeHubRequest(
            context.Connection.LocalPort == StorageAddress.Port,
            context.Request.Method,
            target,
            context.Request.Headers.Authorization.FirstOrDefault(),
            RangeHeaderValue.TryParse(context.Request.Headers.Range, out var range) ? range.Ranges.Single().From : null);
        Requests.Enqueue(request);
        if (await Interfere(request, context))
        {
            return;
        }

        if (request.AtStorage)
        {
            var hash = target.Split('/', '?')[2];
            await SendAsync(context, _files.Values.Single(file => file.Large && HashOf(file.Content, large: true) == hash).Content);
        }
        else if (Token is not null && request.Authorization != $"Bearer {Token}")
        {
            await RefuseAsync(context, StatusCodes.Status401Unauthorized, "RepoNotFound");
        }
        else if (request.IsListing)
        {
            await AnswerListingAsync(context, target);
        }
        else
        {
            await AnswerFileAsync(context, target);
        }
    }

    private async Task AnswerListingAsync(HttpContext context, string target)
    {
        const string Prefix = $"/api/models/{Repository}/revision/";
        if (!target.StartsWith(Prefix, StringComparison.Ordinal))
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "RepoNotFound");
            return;
        }

        var revision = Uri.UnescapeDataString(target[Prefix.Length..].Split('?')[0]);
        if (revision != Commit && !Branches.ContainsKey(revision))
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "RevisionNotFound");
            return;
        }

        var listing = Encoding.UTF8.GetBytes(Listing().ToJsonString());
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = listing.Length;
        await context.Response.Body.WriteAsync(listing);
    }

    private async Task AnswerFileAsync(HttpContext context, string target)
    {
        const string Prefix = $"/{Repository}/resolve/{Commit}/";
        if (!target.StartsWith(Prefix, StringComparison.Ordinal)
            || !_files.TryGetValue(Uri.UnescapeDataString(target[Prefix.Length..]), out var file))
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "EntryNotFound");
            return;
        }

        context.Response.Headers["X-Repo-Commit"] = Commit;
        if (!file.Large)
        {
            context.Response.Headers.ETag = $"\"{HashOf(file.Content, large: false)}\"";
            await SendAsync(context, file.Content);
            return;
        }

        var hash = HashOf(file.Content, large: true);
        context.Response.StatusCode = StatusCodes.Status302Found;
        context.Response.Headers["X-Linked-Etag"] = $"\"{hash}\"";
        context.Response.Headers["X-Linked-Size"] = file.Content.Length.ToString(System.Globalization.CultureInfo.InvariantCulture);
        context.Response.Headers.Location = $"{StorageAddress}blob/{hash}?signature=secret-signature";
    }

    private static Task RefuseAsync(HttpContext context, int status, string code)
    {
        context.Response.StatusCode = status;
        context.Response.Headers["X-Error-Code"] = code;
        return context.Response.WriteAsync("{\"error\":\"refused\"}");
    }
}
