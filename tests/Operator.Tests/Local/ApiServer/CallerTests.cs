using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;
using Microsoft.Extensions.Time.Testing;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Who asks: tokens of service accounts, impersonation, and what reviews say of them.</summary>
public sealed class CallerTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private const string NoKubectl = "kubectl is not installed (set CLUSTER_KUBECTL or put it on the PATH)";
    private const string Reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

    public static bool HasKubectl => Kubectl.Program is not null;

    [Fact]
    public async Task A_token_of_a_service_account_is_good_until_it_expires()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var server = await LocalApiServer.StartAsync(new LocalApiServerOptions { Clock = clock }, CancellationToken.None);
        using var client = new ApiClient(server);
        const string Accounts = "/api/v1/namespaces/default/serviceaccounts";
        await client.CreateAsync(Accounts, Fixtures.Json("""{"metadata": {"name": "robot"}}"""));
        await client.ExpectAsync(
            HttpStatusCode.UnprocessableEntity, HttpMethod.Post, $"{Accounts}/robot/token",
            Fixtures.Json("""{"spec": {"expirationSeconds": 60}}"""));
        await client.ExpectAsync(HttpStatusCode.NotFound, HttpMethod.Post, $"{Accounts}/nobody/token", Fixtures.Json("{}"));
        var made = await client.CreateAsync($"{Accounts}/robot/token", Fixtures.Json("""{"spec": {"expirationSeconds": 600}}"""));
        using var robot = new ApiClient(
            new ServerAccess(server.BaseAddress, server.CaCertificatePem, (string)made["status"]!["token"]!));
        Assert.Equal("system:serviceaccount:default:robot", await WhoAsync(robot));
        clock.Advance(TimeSpan.FromSeconds(601));
        await robot.ExpectAsync(HttpStatusCode.Unauthorized, HttpMethod.Get, "/api/v1/pods");
    }

    [Fact]
    public async Task Impersonation_shows_in_reviews_and_needs_a_user()
    {
        using var client = new ApiClient(fixture.Server);
        client.Http.DefaultRequestHeaders.Add("Impersonate-Group", "writers");
        await client.ExpectAsync(HttpStatusCode.InternalServerError, HttpMethod.Get, "/api/v1/pods");
        client.Http.DefaultRequestHeaders.Add("Impersonate-User", "jane");
        Assert.Equal("jane", await WhoAsync(client));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Kubectl_makes_tokens_lists_what_one_may_do_and_stands_in_for_others()
    {
        using var kubectl = new Kubectl(fixture.Server, await fixture.NewNamespaceAsync());
        await kubectl.RunAsync("create", "serviceaccount", "robot");
        var token = (await kubectl.RunAsync("create", "token", "robot", "--duration=20m")).Trim();
        Assert.Matches("^[0-9a-f]{64}$", token);
        Assert.Contains("*.*", await kubectl.RunAsync("auth", "can-i", "--list"), StringComparison.Ordinal);
        Assert.Equal("yes\n", await kubectl.RunAsync("auth", "can-i", "create", "pods", "--as=jane"));
        var who = await kubectl.RunAsync("auth", "whoami", "--as=jane", "--as-group=writers");
        Assert.Contains("jane", who, StringComparison.Ordinal);
        Assert.Contains("writers", who, StringComparison.Ordinal);
    }

    private static async Task<string?> WhoAsync(ApiClient client) =>
        (string?)(await client.CreateAsync(Reviews, new JsonObject()))["status"]!["userInfo"]!["username"];
}
