using System.Net;
using System.Net.Http.Headers;

namespace Cluster.Worker.Models.Sources;

/// <summary>The two requests of the hub that a download needs: what is in a revision, and a file's bytes. Called by
/// <see cref="HubModelStore"/> and <see cref="BlobDownload"/>.
/// <para>Redirects are followed here and not by the handler: large files live on other hosts, which must not be shown the
/// token.</para></summary>
/// <param name="http">Must not follow redirects, decompress or time out by itself; see <see cref="CreateHttpClient"/>.</param>
internal sealed class HubClient(HttpClient http, HubEnvironment environment, HubOptions options, TimeProvider time)
{
    private static readonly ProductInfoHeaderValue UserAgent = new(
        "cluster-worker", typeof(HubClient).Assembly.GetName().Version!.ToString(3));

    /// <summary>A client as this class wants it.</summary>
    public static HttpClient CreateHttpClient() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>The page of a repository, for people.</summary>
    public string PageOf(HubModel model) => $"{Base}/{model.Repository}";

    /// <summary>The address of a file of a commit.</summary>
    public string AddressOf(HubModel model, string commit, string file) =>
        $"{Base}/{model.Repository}/resolve/{commit}/{string.Join('/', file.Split('/').Select(Uri.EscapeDataString))}";

    /// <summary>Asks for the commit and the files of a revision. One attempt.</summary>
    /// <exception cref="HubException">No access, no such thing, or (transient) no connection.</exception>
    /// <exception cref="HubFormatException">The answer makes no sense.</exception>
    public async Task<RepositoryListing> ListAsync(HubModel model, CancellationToken cancellationToken)
    {
        var address = $"{Base}/api/models/{model.Repository}/revision/{Uri.EscapeDataString(model.Revision)}?blobs=true";
        using var stall = new StallTimer(options.StallTimeout, time, cancellationToken);
        using var response = await SendAsync(HttpMethod.Get, address, model, $"revision '{model.Revision}'", 0, stall);
        return RepositoryListing.Parse(await ReadAnswerAsync(response.Message, address, stall), address);
    }

    /// <summary>Asks for the size and hash of a file that the listing does not tell, as some mirrors' does not. One attempt.</summary>
    /// <exception cref="HubException">No access, no such thing, or (transient) no connection.</exception>
    /// <exception cref="HubFormatException">The answer has no hash or no size.</exception>
    public async Task<HubFile> DescribeAsync(HubModel model, string commit, string file, CancellationToken cancellationToken)
    {
        var address = AddressOf(model, commit, file);
        using var stall = new StallTimer(options.StallTimeout, time, cancellationToken);
        using var response = await SendAsync(HttpMethod.Head, address, model, $"file '{file}'", 0, stall);
        var size = response.Size ?? response.Message.Content.Headers.ContentLength;
        return response.Blob is not null && size is <= RepositoryListing.MaxFileBytes
            ? new HubFile(file, size, response.Blob)
            : throw new HubFormatException(
                address,
                "answered without the file's hash (ETag or X-Linked-Etag: a SHA-256 or a git SHA-1) or with no size that a file has, so "
                + "a download could not be checked");
    }

    /// <summary>Opens a file for reading from an offset on. One attempt; the caller reads the body under the same timer.</summary>
    /// <param name="offset">First byte wanted. The answer may start at 0 all the same: look at its status.</param>
    /// <exception cref="HubException">No access, no such thing, or (transient) no connection.</exception>
    /// <exception cref="HubFormatException">The file is not of that commit.</exception>
    public async Task<HubResponse> OpenAsync(HubModel model, string commit, string file, long offset, StallTimer stall)
    {
        var address = AddressOf(model, commit, file);
        var response = await SendAsync(HttpMethod.Get, address, model, $"file '{file}'", offset, stall);
        if (response.Commit is null || response.Commit == commit)
        {
            return response;
        }

        response.Dispose();
        throw new HubFormatException(address, $"answered with commit '{response.Commit}'; asked for {commit}");
    }

    private string Base => environment.Endpoint.AbsoluteUri.TrimEnd('/');

    private async Task<HubResponse> SendAsync(HttpMethod method, string asked, HubModel model, string what, long offset, StallTimer stall)
    {
        var address = new Uri(asked);
        BlobId? blob = null;
        long? size = null;
        string? commit = null;
        for (var redirects = 0; ; redirects++)
        {
            var isHub = IsHub(address);
            var response = await SendOnceAsync(method, address, isHub, offset, asked, stall);
            if (isHub)
            {
                blob ??= ReadBlob(response);
                size ??= Header(response, "X-Linked-Size") is { } text && long.TryParse(text, out var bytes) && bytes >= 0 ? bytes : null;
                commit ??= Header(response, "X-Repo-Commit");
            }

            var location = Location(response, address, asked);
            var isKnown = method == HttpMethod.Head && blob is not null && size is not null;
            if (location is null || isKnown)
            {
                // 416 is the caller's to understand: its partial file was too long.
                if (response.IsSuccessStatusCode || isKnown || response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
                {
                    return new HubResponse(response, blob, size, commit);
                }

                using (response)
                {
                    throw !isHub
                        ? HubErrors.OfStorage(response, asked)
                        : HubErrors.OfStatus(response, model, asked, PageOf(model), what, environment.Token is not null, time);
                }
            }

            response.Dispose();
            if (redirects == options.MaxRedirects)
            {
                throw new HubFormatException(asked, $"redirects more than {options.MaxRedirects} times");
            }

            address = location;
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(
        HttpMethod method, Uri address, bool isHub, long offset, string asked, StallTimer stall)
    {
        using var request = new HttpRequestMessage(method, address);
        request.Headers.UserAgent.Add(UserAgent);
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (isHub && environment.Token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", environment.Token);
        }

        if (offset > 0)
        {
            request.Headers.Range = new RangeHeaderValue(offset, null);
        }

        try
        {
            var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token);
            stall.Restart();
            return response;
        }
        catch (Exception) when (stall.Stalled)
        {
            throw HubErrors.OfStall(asked, options.StallTimeout);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // A connection that was given up because another file failed is not what went wrong.
            stall.Token.ThrowIfCancellationRequested();
            throw HubErrors.OfConnection(asked, exception);
        }
    }

    /// <summary>The token goes to where the user sends it and nowhere else: same scheme, host and port.</summary>
    private bool IsHub(Uri address) => Uri.Compare(
        address, environment.Endpoint, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) == 0;

    private static Uri? Location(HttpResponseMessage response, Uri from, string asked)
    {
        if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
            or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
        {
            return null;
        }

        var location = response.Headers.Location is { } target && Uri.TryCreate(from, target, out var absolute) ? absolute : null;
        if (location is null
            || location.Scheme is not ("http" or "https")
            || (from.Scheme == Uri.UriSchemeHttps && location.Scheme == Uri.UriSchemeHttp))
        {
            response.Dispose();
            throw new HubFormatException(asked, $"redirects ({(int)response.StatusCode}) to no address that may be followed");
        }

        return location;
    }

    private static BlobId? ReadBlob(HttpResponseMessage response) =>
        BlobId.TryParse(Header(response, "X-Linked-Etag") ?? Header(response, "ETag"), out var id) ? id : null;

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;

    private async Task<byte[]> ReadAnswerAsync(HttpResponseMessage response, string address, StallTimer stall)
    {
        using var answer = new MemoryStream();
        var buffer = new byte[64 << 10];
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(stall.Token);
            while (await body.ReadAsync(buffer, stall.Token) is > 0 and var read)
            {
                stall.Restart();
                if (answer.Length + read > RepositoryListing.MaxBytes)
                {
                    throw new HubFormatException(address, $"answered with more than {RepositoryListing.MaxBytes} bytes");
                }

                answer.Write(buffer, 0, read);
            }
        }
        catch (Exception) when (stall.Stalled)
        {
            throw HubErrors.OfStall(address, options.StallTimeout);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException and not HubException)
        {
            stall.Token.ThrowIfCancellationRequested();
            throw HubErrors.OfConnection(address, exception);
        }

        return answer.ToArray();
    }
}
