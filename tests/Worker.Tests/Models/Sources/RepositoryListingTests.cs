using System.Text;
using System.Text.Json.Nodes;
using Cluster.Tests.Shared.Fuzzing;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>What a hub may say about a repository, meant or not.</summary>
[Trait(Category.Name, Category.Slow)]
public class RepositoryListingTests
{
    private const string Url = "http://hub/api/models/test/model/revision/main";
    private const string Sha = "\"sha\": \"0123456789abcdef0123456789abcdef01234567\"";

    private static readonly TextMutator Mutator = new("\"sha\"", "\"siblings\"", "\"rfilename\"");

    [Fact]
    public void Sizes_and_hashes_are_read()
    {
        var listing = Parse($$"""
            {{{Sha}}, "siblings": [
              {"rfilename": "config.json", "size": 720, "blobId": "1111111111111111111111111111111111111111"},
              {"rfilename": "model.safetensors", "size": 5, "blobId": "2222222222222222222222222222222222222222",
               "lfs": {"sha256": "3333333333333333333333333333333333333333333333333333333333333333", "size": 5, "pointerSize": 134} },
              {"rfilename": "onnx/x.onnx"}]}
            """);

        Assert.Equal("0123456789abcdef0123456789abcdef01234567", listing.Commit);
        Assert.Equal(
            [("config.json", 720L, new string('1', 40)), ("model.safetensors", 5L, new string('3', 64)), ("onnx/x.onnx", null, null)],
            listing.Files.Select(file => (file.Name, file.Size, file.Blob?.Hex)));
    }

    [Theory]
    [InlineData("../../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../b")]
    [InlineData("a//b")]
    [InlineData("a/./b")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a\\\\..\\\\b")]
    [InlineData("a\\u0000b")]
    [InlineData("a\\u001b[2Jb")]
    public void A_file_outside_the_repository_is_refused(string name)
    {
        var error = Assert.Throws<HubFormatException>(() => Parse($$"""{{{Sha}}, "siblings": [{"rfilename": "{{name}}"}]}"""));

        Assert.StartsWith($"{Url}: lists the file '", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("which is no path inside the repository", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(error.Message, char.IsControl);
    }

    [Theory]
    [InlineData("[]", "answered with a JSON Array; expected an object that describes a model")]
    [InlineData("{}", "answered without a commit: 'sha' must be 40 hexadecimal digits")]
    [InlineData("{\"sha\": \"../../x\", \"siblings\": []}", "answered without a commit")]
    [InlineData("{SHA}", "answered without a list of files in 'siblings'")]
    [InlineData("{SHA, \"siblings\": {}}", "answered without a list of files in 'siblings'")]
    [InlineData("{SHA, \"siblings\": [3]}", "lists a file without a name: 'siblings[0].rfilename' must be a string")]
    [InlineData("{SHA, \"siblings\": [{\"rfilename\": \"a\"}, {\"rfilename\": \"a\"}]}", "lists the file 'a' twice")]
    [InlineData("{SHA, \"siblings\": [{\"rfilename\": \"a\", \"size\": -1}]}", "lists 'a' with a size that no file has")]
    [InlineData("{SHA, \"siblings\": [{\"rfilename\": \"a\", \"size\": 9223372036854775807}]}", "lists 'a' with a size that no file has")]
    [InlineData("{SHA, \"siblings\": [{\"rfilename\": \"a\", \"size\": 1e300}]}", "lists 'a' with a size that no file has")]
    [InlineData(
        "{SHA, \"siblings\": [{\"rfilename\": \"a\", \"blobId\": \"../../../x\"}]}",
        "lists 'a' with a hash that is neither a SHA-256 nor a git SHA-1")]
    [InlineData("{SHA, \"siblings\": [{\"rfilename\": \"a\", \"lfs\": {\"sha256\": 7}}]}", "lists 'a' with a hash that is neither")]
    [InlineData("<html>", "answered with invalid JSON")]
    [InlineData("", "answered with invalid JSON")]
    public void Nonsense_is_refused_with_the_address(string json, string message)
    {
        var error = Assert.Throws<HubFormatException>(() => Parse(json.Replace("SHA", Sha, StringComparison.Ordinal)));

        Assert.StartsWith($"{Url}: {message}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Depth_and_number_of_files_are_bounded()
    {
        Assert.Throws<HubFormatException>(() => Parse(new string('[', 100_000)));
        var files = string.Join(',', Enumerable.Range(0, 100_001).Select(n => $$"""{"rfilename": "{{n}}"}"""));
        Assert.Contains(
            "lists 100001 files; at most 100000 are read",
            Assert.Throws<HubFormatException>(() => Parse($$"""{{{Sha}}, "siblings": [{{files}}]}""")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_endless_answer_is_cut_off()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.Interfere = async (_, context) =>
        {
            var spaces = Encoding.ASCII.GetBytes(new string(' ', 1 << 20));
            try
            {
                while (true)
                {
                    await context.Response.Body.WriteAsync(spaces, context.RequestAborted);
                }
            }
            catch (OperationCanceledException)
            {
                return true;
            }
        };

        var error = await Assert.ThrowsAsync<HubFormatException>(() => test.FetchAsync());

        Assert.Equal(
            $"{test.Hub.Address}api/models/test/model/revision/main?blobs=true: answered with more than {RepositoryListing.MaxBytes} bytes",
            error.Message);
    }

    [Fact]
    public void Mutated_answers_are_read_or_refused_with_the_address()
    {
        var original = Original();
        var random = new Random(3);
        var refused = 0;
        Assert.All(Enumerable.Range(0, 4000), n =>
        {
            try
            {
                var listing = RepositoryListing.Parse(Mutator.Mutate(original, random), Url);
                Assert.True(HubModel.IsCommit(listing.Commit));
                Assert.All(listing.Files, file => Assert.DoesNotContain("..", file.Name.Split('/')));
            }
            catch (HubFormatException exception)
            {
                refused++;
                Assert.StartsWith($"{Url}: ", exception.Message, StringComparison.Ordinal);
            }
        });

        Assert.InRange(refused, 2000, 3999);
    }

    [Fact]
    public async Task Mutated_answers_on_the_wire_end_in_our_errors_and_never_outside_the_cache()
    {
        await using var test = await HubTest.StartAsync(weightBytes: 500);
        var original = Encoding.UTF8.GetBytes(test.Hub.Listing().ToJsonString());
        var random = new Random(4);
        var (fetched, refused) = (0, 0);
        byte[] answer = [];
        test.Hub.Interfere = async (request, context) =>
        {
            if (!request.IsListing)
            {
                return false;
            }

            await context.Response.Body.WriteAsync(answer);
            return true;
        };
        for (var n = 0; n < 400; n++)
        {
            answer = Mutator.Mutate(original, random);
            try
            {
                await test.Store(options: new HubOptions { MaxRetries = 0 })
                    .FetchAsync(HubTest.Model, null, TestContext.Current.CancellationToken);
                fetched++;
            }
            catch (Exception exception) when (exception is HubFormatException or HubException)
            {
                refused++;
                Assert.Contains(
                    exception is HubFormatException || exception.Message.StartsWith("http", StringComparison.Ordinal)
                        ? test.Hub.Address.AbsoluteUri
                        : "hf://test/model@main", exception.Message, StringComparison.Ordinal);
            }
        }

        Assert.True(fetched > 0 && refused > 0, $"{fetched} fetched, {refused} refused");
        Assert.All(
            Directory.EnumerateFiles(Path.GetDirectoryName(test.CacheFolder)!, "*", SearchOption.AllDirectories),
            file => Assert.StartsWith(test.CacheFolder, file, StringComparison.Ordinal));
    }

    private static byte[] Original() => Encoding.UTF8.GetBytes(new JsonObject
    {
        ["id"] = "test/model",
        ["sha"] = FakeHub.Commit,
        ["tags"] = new JsonArray("a", "b"),
        ["siblings"] = new JsonArray(
            new JsonObject { ["rfilename"] = "config.json", ["size"] = 720, ["blobId"] = new string('1', 40) },
            new JsonObject
            {
                ["rfilename"] = "model.safetensors",
                ["size"] = 5,
                ["lfs"] = new JsonObject { ["sha256"] = new string('3', 64), ["size"] = 5 }
            }),
    }.ToJsonString());

    private static RepositoryListing Parse(string json) => RepositoryListing.Parse(Encoding.UTF8.GetBytes(json), Url);
}
