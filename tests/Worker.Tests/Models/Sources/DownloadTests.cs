using System.Text.Json.Nodes;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>A hub that behaves.</summary>
public class DownloadTests
{
    [Fact]
    public async Task The_cache_is_laid_out_as_huggingface_hub_has_it()
    {
        await using var test = await HubTest.StartAsync();

        var folder = await test.FetchAsync();

        Assert.Equal(test.SnapshotFolder, folder);
        Assert.Equal(FakeHub.Commit, File.ReadAllText(Path.Combine(test.RepositoryFolder, "refs", "main")));
        Assert.Equal(
            ["config.json", "model.safetensors", "tokenizer.json"],
            Directory.EnumerateFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        var sha256 = FakeHub.HashOf(test.WeightBytes, large: true);
        Assert.Equal($"../../blobs/{sha256}", new FileInfo(Path.Combine(folder, HubTest.Weights)).LinkTarget);
        var config = File.ReadAllBytes(Path.Combine(folder, "config.json"));
        Assert.Equal($"../../blobs/{FakeHub.HashOf(config, large: false)}", new FileInfo(Path.Combine(folder, "config.json")).LinkTarget);
        Assert.Equal(3, Directory.GetFiles(Path.Combine(test.RepositoryFolder, "blobs")).Length);
        Assert.True(File.Exists(Path.Combine(test.CacheFolder, ".locks", "models--test--model", sha256 + ".lock")));
        test.AssertWeightsAreWhole();
    }

    [Fact]
    public async Task A_second_run_asks_the_hub_one_question_and_downloads_nothing()
    {
        await using var test = await HubTest.StartAsync();
        var first = await test.FetchAsync();
        test.Hub.Requests.Clear();

        Assert.Equal(first, await test.FetchAsync());

        Assert.True(Assert.Single(test.Hub.Requests).IsListing);
    }

    [Fact]
    public async Task A_new_commit_downloads_only_what_changed()
    {
        await using var test = await HubTest.StartAsync();
        await test.FetchAsync();
        const string Next = "fedcba9876543210fedcba9876543210fedcba98";
        test.Hub.EditListing = listing => listing["sha"] = Next;
        test.Hub.Requests.Clear();

        var folder = await test.FetchAsync();

        // Every content is the same: links are all that the new snapshot needs.
        Assert.Single(test.Hub.Requests);
        Assert.EndsWith(Next, folder, StringComparison.Ordinal);
        Assert.Equal(test.WeightBytes, File.ReadAllBytes(Path.Combine(folder, HubTest.Weights)));
        Assert.Equal(Next, File.ReadAllText(Path.Combine(test.RepositoryFolder, "refs", "main")));
    }

    [Fact]
    public async Task A_revision_with_slashes_is_escaped_on_the_wire_and_nested_on_the_disk()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.Branches["refs/pr/1"] = FakeHub.Commit;

        await test.Store().FetchAsync(HubTest.Model with { Revision = "refs/pr/1" }, null, TestContext.Current.CancellationToken);

        Assert.Contains(test.Hub.Requests, request => request.Target == "/api/models/test/model/revision/refs%2Fpr%2F1?blobs=true");
        Assert.Equal(FakeHub.Commit, File.ReadAllText(Path.Combine(test.RepositoryFolder, "refs", "refs", "pr", "1")));
    }

    [Fact]
    public async Task Only_the_shards_that_the_index_names_are_downloaded()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.EditListing = listing => listing["siblings"]!.AsArray()
            .Remove(listing["siblings"]!.AsArray().Single(file => (string)file!["rfilename"]! == HubTest.Weights));
        test.Hub.Add(
            "model.safetensors.index.json",
            """{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"}}""");
        test.Hub.Add("model-00001-of-00002.safetensors", HubTest.RandomBytes(5000, 2), large: true);
        test.Hub.Add("model-00002-of-00002.safetensors", HubTest.RandomBytes(6000, 3), large: true);
        test.Hub.Add("consolidated.safetensors", HubTest.RandomBytes(11_000, 4), large: true);
        test.Hub.Add("pytorch_model.bin", HubTest.RandomBytes(11_000, 5), large: true);

        var folder = await test.FetchAsync();

        Assert.Equal(
            ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
                "tokenizer.json"],
            Directory.EnumerateFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_mirror_that_lists_names_only_is_asked_for_sizes_and_hashes()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.EditListing = listing =>
        {
            foreach (var file in listing["siblings"]!.AsArray())
            {
                file!.AsObject().Remove("size");
                file.AsObject().Remove("blobId");
                file.AsObject().Remove("lfs");
            }
        };

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal(3, test.Hub.Requests.Count(request => request.Method == "HEAD" && !request.AtStorage));
    }

    [Fact]
    public async Task Progress_never_runs_ahead_and_ends_with_everything_done()
    {
        await using var test = await HubTest.StartAsync(weightBytes: 2_000_000);

        await test.FetchAsync();

        var reports = test.Progress.ToArray();
        Assert.All(reports, report => Assert.InRange(report.BytesDone, 0, report.BytesTotal));
        Assert.All(reports.Zip(reports.Skip(1)), pair => Assert.True(pair.First.BytesDone <= pair.Second.BytesDone));
        Assert.Equal(reports[^1].BytesTotal, reports[^1].BytesDone);
        Assert.Equal((3, 3), (reports[^1].FilesDone, reports[^1].FilesTotal));
        Assert.True(reports.Length > 5, "a large file is reported piece by piece");
    }

    [Fact]
    public async Task No_more_files_than_allowed_are_downloaded_at_once()
    {
        await using var test = await HubTest.StartAsync();
        var names = Enumerable.Range(1, 12).Select(n => $"model-{n:D5}-of-00012.safetensors").ToArray();
        test.Hub.EditListing = listing => listing["siblings"]!.AsArray()
            .Remove(listing["siblings"]!.AsArray().Single(file => (string)file!["rfilename"]! == HubTest.Weights));
        test.Hub.Add(
            "model.safetensors.index.json",
            new JsonObject { ["weight_map"] = new JsonObject(names.Select((name, n) => KeyValuePair.Create($"w{n}", (JsonNode?)name))) }
                .ToJsonString());
        foreach (var name in names)
        {
            test.Hub.Add(name, HubTest.RandomBytes(1000, name.GetHashCode(StringComparison.Ordinal)), large: true);
        }

        // The first three downloads meet at the storage host; nobody else may come before they have met.
        using var meeting = new SemaphoreSlim(0);
        var (waiting, most, now) = (0, 0, 0);
        test.Hub.Interfere = async (request, _) =>
        {
            if (request.AtStorage)
            {
                most = Math.Max(most, Interlocked.Increment(ref now));
                if (Interlocked.Increment(ref waiting) == 3)
                {
                    meeting.Release(names.Length);
                }

                await meeting.WaitAsync(TestContext.Current.CancellationToken);
                Interlocked.Decrement(ref now);
            }

            return false;
        };

        await test.FetchAsync(options: new HubOptions { ParallelFiles = 3 });

        Assert.Equal(3, most);
    }

    [Fact]
    public async Task Two_downloads_of_the_same_model_fetch_each_file_once()
    {
        await using var test = await HubTest.StartAsync();

        var folders = await Task.WhenAll(test.FetchAsync(), test.FetchAsync(), test.FetchAsync());

        Assert.Single(folders.Distinct());
        Assert.Single(test.RequestsAtStorage);
        Assert.Equal(
            2, test.Hub.Requests.Count(request => !request.AtStorage && !request.IsListing && request.Target != HubTest.WeightsAddress));
        test.AssertWeightsAreWhole();
    }

    [Fact]
    public async Task Empty_files_and_files_of_the_same_content_are_downloaded_once()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.Add("merges.txt", "");
        test.Hub.Add("vocab.json", "{}");

        var folder = await test.FetchAsync();

        Assert.Empty(File.ReadAllBytes(Path.Combine(folder, "merges.txt")));
        Assert.Equal("{}", File.ReadAllText(Path.Combine(folder, "vocab.json")));
        Assert.Single(
            test.Hub.Requests,
            request => request.Target.EndsWith("/tokenizer.json", StringComparison.Ordinal)
                || request.Target.EndsWith("/vocab.json", StringComparison.Ordinal));
        Assert.DoesNotContain(test.Hub.Requests, request => request.Target.EndsWith("/merges.txt", StringComparison.Ordinal));
    }
}
