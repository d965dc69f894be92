using Microsoft.AspNetCore.Http;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>Tokens, refusals and life without a connection.</summary>
public class AccessTests
{
    private const string Token = "hf_secret-of-the-test";

    [Fact]
    public async Task The_token_is_shown_to_the_hub_and_to_no_other_host()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.Token = Token;

        await test.FetchAsync(Token);

        test.AssertWeightsAreWhole();
        Assert.All(
            test.Hub.Requests.Where(request => !request.AtStorage), request => Assert.Equal($"Bearer {Token}", request.Authorization));
        Assert.All(test.RequestsAtStorage, request => Assert.Null(request.Authorization));
        Assert.Single(test.RequestsAtStorage);
        Assert.DoesNotContain(test.Log, line => line.Contains(Token, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(
        401, "RepoNotFound", false,
        "there is no repository test/model, or it is private (401): check the name, or set HF_TOKEN to a token that may read it")]
    [InlineData(
        404, "RepoNotFound", true,
        "there is no repository test/model, or it is private (404): check the name and that the account of HF_TOKEN may read it")]
    [InlineData(404, "RevisionNotFound", false, "test/model has no revision 'main' (404); its branches and tags are on ")]
    [InlineData(401, null, false, "the hub wants to know who asks: set HF_TOKEN (401); the model's page is ")]
    [InlineData(
        401, null, true, "the hub does not accept the token of HF_TOKEN (or of the file HF_HOME/token) (401); the model's page is ")]
    [InlineData(
        403, "GatedRepo", false,
        "access to test/model is gated (403): set HF_TOKEN to a token of an account that has access, or ask for it on ")]
    [InlineData(403, "GatedRepo", true, "access to test/model is gated (403): ask for access on ")]
    [InlineData(
        403, null, true, "access is refused (403): the token of HF_TOKEN may not read test/model; request access to a gated model on ")]
    [InlineData(404, null, false, "test/model has no revision 'main' (404), or there is no such repository; its page is ")]
    [InlineData(400, null, false, "unexpected answer 400")]
    public async Task A_refusal_says_what_to_do(int status, string? code, bool withToken, string message)
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.Interfere = (_, context) => Refuse(context, status, code);

        var error = await test.FailAsync(withToken ? Token : null);

        Assert.StartsWith(
            $"{test.Hub.Address}api/models/test/model/revision/main?blobs=true: {message}", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Token, error.ToString(), StringComparison.Ordinal);
        Assert.Single(test.Hub.Requests);
        if (message.EndsWith(" on ", StringComparison.Ordinal) || message.EndsWith(" is ", StringComparison.Ordinal))
        {
            Assert.EndsWith($"{test.Hub.Address}test/model", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_gated_file_of_an_open_listing_names_the_file()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.Interfere = (request, context) => request.IsListing ? Task.FromResult(false) : Refuse(context, 404, "EntryNotFound");

        var error = await test.FailAsync();

        Assert.Matches(
            "test/model has no file '(config\\.json|tokenizer\\.json|model\\.safetensors)' at revision 'main' \\(404\\)$", error.Message);
    }

    [Fact]
    public async Task Offline_with_a_complete_snapshot_asks_nobody()
    {
        await using var test = await HubTest.StartAsync();
        var folder = await test.FetchAsync();
        test.Hub.Requests.Clear();

        Assert.Equal(folder, await test.FetchAsync(offline: true));
        Assert.Equal(
            folder,
            await test.Store(offline: true)
                .FetchAsync(HubTest.Model with { Revision = FakeHub.Commit }, null, TestContext.Current.CancellationToken));

        Assert.Empty(test.Hub.Requests);
    }

    [Fact]
    public async Task Offline_with_nothing_cached_says_so()
    {
        await using var test = await HubTest.StartAsync();

        var error = await test.FailAsync(offline: true);

        Assert.Equal(
            $"hf://test/model@main is not in the cache {test.CacheFolder}, and HF_HUB_OFFLINE forbids downloading it", error.Message);
        Assert.Empty(test.Hub.Requests);
    }

    [Fact]
    public async Task Offline_with_half_a_snapshot_names_what_is_missing()
    {
        await using var test = await HubTest.StartAsync();
        await test.FetchAsync();
        File.Delete(Path.Combine(test.SnapshotFolder, HubTest.Weights));

        var error = await test.FailAsync(offline: true);

        Assert.Contains($"(of commit {FakeHub.Commit}, 'model.safetensors' is missing)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dangling_link_counts_as_missing_and_is_mended()
    {
        await using var test = await HubTest.StartAsync();
        await test.FetchAsync();
        File.Delete(Path.Combine(test.RepositoryFolder, "blobs", FakeHub.HashOf(test.WeightBytes, large: true)));

        await test.FailAsync(offline: true);
        await test.FetchAsync();

        test.AssertWeightsAreWhole();
    }

    [Fact]
    public async Task A_hub_that_is_down_is_stood_in_for_by_the_cache()
    {
        await using var test = await HubTest.StartAsync();
        var folder = await test.FetchAsync();
        test.Hub.Interfere = (_, context) => Refuse(context, 502, null);

        Assert.Equal(folder, await test.FetchAsync());

        Assert.Single(test.Pauses);
        Assert.Contains(test.Log, line => line.EndsWith($"using the snapshot {FakeHub.Commit} from the cache", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_hub_that_refuses_is_not_stood_in_for()
    {
        await using var test = await HubTest.StartAsync();
        await test.FetchAsync();
        test.Hub.Interfere = (_, context) => Refuse(context, 403, "GatedRepo");

        await test.FailAsync();
    }

    [Fact]
    public async Task A_repository_without_safetensors_says_what_to_do()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.EditListing = listing =>
        {
            foreach (var file in listing["siblings"]!.AsArray().Where(file => (string)file!["rfilename"]! == HubTest.Weights))
            {
                file!["rfilename"] = "pytorch_model.bin";
            }
        };

        var error = await test.FailAsync();

        Assert.StartsWith(
            "hf://test/model@main has its weights as 'pytorch_model.bin' only, and weights are read from safetensors only: ", error.Message,
            StringComparison.Ordinal);
        Assert.Contains("test/model@refs/pr/1", error.Message, StringComparison.Ordinal);
        Assert.Single(test.Hub.Requests);
    }

    [Fact]
    public async Task A_shard_that_the_repository_lacks_is_named()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.EditListing = listing => listing["siblings"]!.AsArray()
            .Remove(listing["siblings"]!.AsArray().Single(file => (string)file!["rfilename"]! == HubTest.Weights));
        test.Hub.Add("model.safetensors.index.json", """{"weight_map": {"a": "../../../outside.safetensors"}}""");
        test.Hub.Add("other.safetensors", [1, 2, 3], large: true);

        var error = await test.FailAsync();

        Assert.Equal(
            "hf://test/model@main: 'model.safetensors.index.json' names the shard '../../../outside.safetensors', which is no "
            + "safetensors file of the repository", error.Message);
    }

    private static async Task<bool> Refuse(HttpContext context, int status, string? code)
    {
        context.Response.StatusCode = status;
        if (code is not null)
        {
            context.Response.Headers["X-Error-Code"] = code;
        }

        await context.Response.WriteAsync("{\"error\": \"refused\"}");
        return true;
    }
}
