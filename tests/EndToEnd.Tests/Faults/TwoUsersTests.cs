using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.EndToEnd.Tests.Load;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Faults;

/// <summary>Two people run <c>cluster-operator local</c> on one machine, with one folder for temporary files.</summary>
[Collection(LoadCollection.Name), Trait(Category.Name, Category.Long)]
public sealed partial class TwoUsersTests
{
    private const int Ann = 65533;
    private const int Ben = 65534;
    private const int SigKill = 9;

    private const string Manifest = """
        apiVersion: serving.cluster.sh/v1alpha1
        kind: ModelDeployment
        metadata: {name: haiku}
        spec:
          model: {source: file:///models/haiku-1m}
          replicas: 1
        """;

    [Fact]
    public async Task Each_has_a_cluster_of_its_own_that_the_other_can_neither_read_nor_disturb()
    {
        Assert.SkipWhen(OtherUser.WhyNot is not null, OtherUser.WhyNot ?? "");
        using var temporary = new TemporaryFolder();
        var shared = Everybody(temporary.Path);
        var manifest = temporary.Write("haiku.yaml", Manifest);
        Permissions.Set(manifest, Permissions.Of(manifest) | UnixFileMode.OtherRead);
        string[] arguments = ["-f", manifest, "--models", Path.GetDirectoryName(WorkerProcess.SampleModel)!, "--gpus", "1"];
        var starting = LocalOperator.StartAsUserAsync(Ann, shared, untilReady: true, arguments);
        await using var bens = await LocalOperator.StartAsUserAsync(Ben, shared, untilReady: true, arguments);
        await using var anns = await starting;

        // Each has the only GPU there is, on a network of its own.
        Assert.Single(anns.HttpEndpoints);
        Assert.Empty(anns.HttpEndpoints.Intersect(bens.HttpEndpoints));
        await AssertServesAsync(anns);
        await AssertServesAsync(bens);

        // Neither kubeconfig nor token is for the other.
        await AssertHiddenAsync(anns, Ben);
        await AssertHiddenAsync(bens, Ann);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(anns, TokenOf(anns)));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(anns, TokenOf(bens)));

        // One ends in the worst way, and starts again: what it left is removed, and the other never noticed.
        var (left, workers) = (Path.GetDirectoryName(anns.Kubeconfig)!, anns.Children());
        _ = LocalOperator.Kill(anns.ProcessId, SigKill);
        Assert.True(await Eventually.IsTrueAsync(() => !workers.Any(LocalOperator.IsRunning)), "workers outlive their cluster");
        Assert.True(Directory.Exists(left));
        await using var again = await LocalOperator.StartAsUserAsync(Ann, shared, untilReady: false);
        Assert.False(Directory.Exists(left), $"{left} is still there");
        Assert.True(File.Exists(bens.Kubeconfig));
        await AssertServesAsync(bens);

        Assert.Equal(0, await again.InterruptAsync());
        Assert.Equal(0, await bens.InterruptAsync());
        Assert.Equal(
            "",
            string.Join('\n', Directory.EnumerateDirectories(shared, "cluster-*")
                .SelectMany(folder => Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories).Prepend(folder)))
                + (Directory.EnumerateDirectories(shared, "cluster-*").Any() ? $"\n{again.Output}\n{bens.Output}" : ""));
    }

    [Fact]
    public async Task What_others_have_planted_under_such_names_is_left_alone()
    {
        Assert.SkipWhen(OtherUser.WhyNot is not null, OtherUser.WhyNot ?? "");
        using var temporary = new TemporaryFolder();
        var shared = Everybody(temporary.Path);
        using var treasure = new TemporaryFolder();
        treasure.Write("lock", "");
        treasure.Write("kept", "");
        Everybody(treasure.Path);
        await PlantAsync("cluster-local-folder", "mkdir \"$1\" && touch \"$1/lock\" && chmod 777 \"$1\"");
        await PlantAsync("cluster-local-link", $"ln -s '{treasure.Path}' \"$1\"");
        await PlantAsync("cluster-local-inner", $"mkdir -m 700 \"$1\" && touch \"$1/lock\" && ln -s '{treasure.Path}' \"$1/volumes\"");

        await using var anns = await LocalOperator.StartAsUserAsync(Ann, shared, untilReady: false);
        Assert.Equal(Permissions.OwnerOnly, Permissions.Of(anns.Kubeconfig));
        Assert.Equal(0, await anns.InterruptAsync());

        // Root could remove anything; it must not be led to.
        await using var roots = await LocalOperator.StartAsUserAsync(0, shared, untilReady: false);
        Assert.Equal(0, await roots.InterruptAsync());

        Assert.Equal(
            ["cluster-local-folder", "cluster-local-inner", "cluster-local-link"],
            Directory.EnumerateFileSystemEntries(shared, "cluster-*").Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.True(File.Exists(Path.Combine(treasure.Path, "kept")));

        async Task PlantAsync(string name, string script)
        {
            var planted = await OtherUser.RunAsync(Ben, "sh", "-c", script, "sh", Path.Combine(shared, name));
            Assert.True(planted.ExitCode == 0, planted.All);
        }
    }

    /// <summary>As <c>/tmp</c> is.</summary>
    private static string Everybody(string folder)
    {
        Permissions.Set(folder, (UnixFileMode)0b111_111_111 | UnixFileMode.StickyBit);
        return folder;
    }

    private static async Task AssertHiddenAsync(LocalOperator local, int other)
    {
        var folder = Path.GetDirectoryName(local.Kubeconfig)!;
        foreach (var command in new[] { $"cat '{local.Kubeconfig}'", $"ls '{folder}'", $"touch '{folder}/x'" })
        {
            var tried = await OtherUser.RunAsync(other, "sh", "-c", command);
            Assert.True(tried.ExitCode != 0 && tried.Error.Contains("Permission denied", StringComparison.Ordinal), tried.All);
        }

        var token = TokenOf(local);
        foreach (var process in local.Children().Append(local.ProcessId))
        {
            Assert.DoesNotContain(token, await File.ReadAllTextAsync($"/proc/{process}/cmdline"), StringComparison.Ordinal);
            var tried = await OtherUser.RunAsync(other, "cat", $"/proc/{process}/environ");
            Assert.NotEqual(0, tried.ExitCode);
        }
    }

    private static async Task AssertServesAsync(LocalOperator local)
    {
        Assert.True(local.HttpEndpoints.Count == 1, local.Output);
        using var http = new HttpClient { BaseAddress = new Uri(local.HttpEndpoints[0]) };
        using var answer = await http.PostAsJsonAsync(
            "/v1/chat/completions",
            new { model = "haiku", messages = new[] { new { role = "user", content = Haiku.Prompt } }, temperature = 0, max_tokens = 64 });
        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, body);
        Assert.Equal(Haiku.Text, (string?)JsonNode.Parse(body)!["choices"]![0]!["message"]!["content"]);
    }

    private static async Task<HttpStatusCode> AskAsync(LocalOperator local, string token)
    {
        using var http = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true });
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await http.GetAsync(
            new Uri(new Uri(Server().Match(await File.ReadAllTextAsync(local.Kubeconfig)).Groups[1].Value), "/api/v1/nodes"));
        return answer.StatusCode;
    }

    private static string TokenOf(LocalOperator local) => Token().Match(File.ReadAllText(local.Kubeconfig)).Groups[1].Value;

    [GeneratedRegex(@"server: (\S+)")]
    private static partial Regex Server();

    [GeneratedRegex(@"token: (\S+)")]
    private static partial Regex Token();
}
