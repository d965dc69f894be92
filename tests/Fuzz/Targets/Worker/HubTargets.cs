using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Sources;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>What a hub, a mirror or whoever stands in between answers.</summary>
internal static class HubTargets
{
    private const string Address = "http://hub/api/models/test/model/revision/main";
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private static readonly HubModel Model = new("test/model", "main");

    private static readonly string[] ListingWords =
    [
        "\"sha\"", "\"siblings\"", "\"rfilename\"", "\"config.json\"", "\"model.safetensors\"", "\"model.safetensors.index.json\"",
        "\"a/../b\"",
        "\"size\"", "\"blobId\"", "{\"sha256\": \"3333333333333333333333333333333333333333333333333333333333333333\"}",
    ];

    public static IFuzzTarget Listing(string name) => new TextTarget(
        name,
        SeedFiles.Texts(
            $$"""
            {"sha": "{{Commit}}", "siblings": [{"rfilename": "config.json", "size": 720, "blobId": "1111111111111111111111111111111111111111"},
             {"rfilename": "model.safetensors", "size": 5, "blobId": "2222222222222222222222222222222222222222",
              "lfs": {"sha256": "3333333333333333333333333333333333333333333333333333333333333333", "size": 5, "pointerSize": 134} },
             {"rfilename": "onnx/x.onnx"}]}
            """),
        new AnyMutator(new TextMutator(ListingWords), new ValueMutator()), IsRefusal, text =>
        {
            var listing = RepositoryListing.Parse(Encoding.UTF8.GetBytes(text), Address);
            RequireInside(listing.Files.Select(file => file.Name));
            NeededFiles.Index(Model, listing, "http://hub/test/model");
            NeededFiles.Of(Model, listing, index: null);
        });

    /// <summary>A whole download. The input is the answers in their order, with a line of '~' between them: status, headers, an empty
    /// line, and the body.</summary>
    public static IFuzzTarget Download(string name) => new TextTarget(
        name, [DownloadSeed(small: true), DownloadSeed(small: false)],
        new AnyMutator(
            new TextMutator(
                [
                    .. ListingWords, "HTTP 302", "HTTP 416", "HTTP 206", "Location: http://storage/x", "Content-Range: bytes 1-2/3",
                    "ETag: \"x\"",
                ]),
            new ByteMutator()),
        IsRefusal, FetchAll)
    {
        Limits = FuzzLimits.Default with { Cost = 4 },
    };

    private static bool IsRefusal(Exception exception) => exception is HubException or HubFormatException or CheckpointFormatException;

    private static void RequireInside(IEnumerable<string> names)
    {
        if (names.FirstOrDefault(name => name.StartsWith('/') || name.Split('/').Contains("..")) is { } outside)
        {
            throw new FuzzFailure("files stay in their folder", outside);
        }
    }

    private static void FetchAll(string script)
    {
        using TemporaryFolder folder = new();
        using HttpClient http = new(new ScriptedHub(script.Split("\n~\n")));
        HubEnvironment environment = new() { Endpoint = new Uri("http://hub"), CacheFolder = Path.Combine(folder.Path, "cache") };
        HubModelStore store = new(
            http, environment, new HubOptions { MaxRetries = 0, ParallelFiles = 1 }, TimeProvider.System, _ => { },
            (_, _) => Task.CompletedTask);
        try
        {
            store.FetchAsync(Model, progress: null, CancellationToken.None).GetAwaiter().GetResult();
        }
        finally
        {
            if (Directory.EnumerateFileSystemEntries(folder.Path).Any(entry => Path.GetFileName(entry) != "cache"))
            {
                throw new FuzzFailure("files stay in the cache", script);
            }
        }
    }

    private static byte[] DownloadSeed(bool small)
    {
        byte[] config = [.. "{}"u8], weights = [.. "weights"u8];
        var (configId, weightsId) = (GitName(config), Convert.ToHexStringLower(SHA256.HashData(weights)));
        var listed = small ? $$""", "size": {{config.Length}}, "blobId": "{{configId}}" """ : "";
        var described = small ? "" : $"HTTP 200\nETag: \"{configId}\"\nContent-Length: {config.Length}\nX-Repo-Commit: {Commit}\n\n\n~\n";
        return Encoding.UTF8.GetBytes(
            $$"""
            HTTP 200
            Content-Type: application/json

            {"sha": "{{Commit}}", "siblings": [{"rfilename": "config.json"{{listed}}}, {"rfilename": "model.safetensors", "size": {{weights.Length}},
             "lfs": {"sha256": "{{weightsId}}"} }]}
            ~
            {{described}}HTTP 200
            ETag: "{{configId}}"
            X-Repo-Commit: {{Commit}}

            {}
            ~
            HTTP 302
            X-Linked-Etag: "{{weightsId}}"
            X-Linked-Size: {{weights.Length}}
            Location: http://storage/x

            moved
            ~
            HTTP 200

            weights
            """);
    }

    private static string GitName(byte[] content)
    {
        var head = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {content.Length}\0"));
#pragma warning disable CA5350 // git names its blobs so.
        return Convert.ToHexStringLower(SHA1.HashData([.. head, .. content]));
#pragma warning restore CA5350
    }

    /// <summary>Answers each request with the next of the answers, and after the last with that again.</summary>
    private sealed class ScriptedHub(string[] answers) : HttpMessageHandler
    {
        private int _next;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var (head, body) = HeadMutator.Split(Encoding.UTF8.GetBytes(answers[Math.Min(_next++, answers.Length - 1)]));
            var lines = Encoding.UTF8.GetString(head).Split('\n');
            var status = int.TryParse(lines[0].Split(' ').Last(), out var code) && code is >= 200 and < 600 ? code : 200;
            HttpResponseMessage response = new((HttpStatusCode)status) { Content = new ByteArrayContent(body), RequestMessage = request };
            foreach (var line in lines.Skip(1))
            {
                var (name, value) = line.Split(": ", 2) is [{ Length: > 0 } before, var after] ? (before, after) : ("X-Line", "");
                if (!response.Headers.TryAddWithoutValidation(name, value) && response.Content.Headers.NonValidated.Contains(name))
                {
                    response.Content.Headers.Remove(name);
                }

                response.Content.Headers.TryAddWithoutValidation(name, value);
            }

            return Task.FromResult(response);
        }
    }
}
