using Cluster.Operator.Gateway.Admission;
using Cluster.Operator.Gateway.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>The file of API keys, budgets, and who is let in.</summary>
public sealed class ApiKeyTests
{
    private const string File =
        """
        keys:
        - key: sk-alpha
          name: team-a
          models: [haiku]
          requestsPerMinute: 2
          tokensPerMinute: 100
        - keySha256: 5b11618c2e44027877d0cd0921ed166b9f176f50587fc91e7534dd2946db77d6
          name: team-b
          page: true
        """;

    [Fact]
    public void A_file_says_names_models_and_limits()
    {
        var keys = ApiKeyFile.Parse(File, "keys.yaml");

        Assert.Equal(["team-a", "team-b"], keys.Select(key => key.Name));
        Assert.Equal((2, 100), (keys[0].RequestsPerMinute, keys[0].TokensPerMinute));
        Assert.Equal(["haiku"], keys[0].Models!);
        Assert.Null(keys[1].Models);
        Assert.Equal([false, true], keys.Select(key => key.OpensPage));
    }

    [Theory]
    [InlineData("[]", "'keys'")]
    [InlineData("keys: x", "'keys'")]
    [InlineData("keys: [x]", "keys[0]")]
    [InlineData("keys: [{name: a}]", "'key' and 'keySha256'")]
    [InlineData("keys: [{key: a}]", "'name'")]
    [InlineData("keys: [{key: a, name: 'x y'}]", "letters, digits")]
    [InlineData("keys: [{key: 'a b', name: x}]", "visible ASCII")]
    [InlineData("keys: [{key: a, keySha256: b, name: x}]", "one of")]
    [InlineData("keys: [{keySha256: abc, name: x}]", "64 hexadecimal")]
    [InlineData("keys: [{key: a, name: x, models: y}]", "'models'")]
    [InlineData("keys: [{key: a, name: x, requestsPerMinute: 0}]", "'requestsPerMinute'")]
    [InlineData("keys: [{key: a, name: x, page: 1}]", "'page'")]
    [InlineData("keys: [{key: a, name: x, limit: 3}]", "'limit' is unknown")]
    [InlineData("keys: [{key: a, name: x}, {key: b, name: x}]", "several keys")]
    [InlineData("keys: [", "keys.yaml")]
    public void A_wrong_file_is_refused_with_the_place(string text, string expected)
    {
        var wrong = Assert.Throws<FormatException>(() => ApiKeyFile.Parse(text, "keys.yaml"));

        Assert.Contains(expected, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_budget_fills_evenly_and_may_be_overdrawn()
    {
        var time = new ManualTime();
        var budget = new MinuteBudget(60, time);

        Assert.Null(budget.Take(60));
        Assert.Equal(TimeSpan.FromSeconds(10), budget.Take(10));
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Null(budget.Take(10));
        budget.Spend(30);
        Assert.Equal(TimeSpan.FromSeconds(31), budget.Take(1));
        time.Advance(TimeSpan.FromHours(1));
        Assert.Null(budget.Take(60));
        Assert.NotNull(budget.Take(1));
    }

    [Fact]
    public void Who_shows_a_key_is_let_in_and_nobody_else()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "keys.yaml");
        System.IO.File.WriteAllText(file, File);
        List<string> refusals = [];
        var gate = new ApiKeyGate(file, new ManualTime(), (_, reason) => refusals.Add(reason), NullLogger.Instance);

        Assert.Equal("team-a", gate.Admit(Headers("Bearer sk-alpha")).Name);
        Assert.Throws<GatewayException>(() => gate.Admit(Headers("Bearer sk-beta")));
        Assert.Throws<GatewayException>(() => gate.Admit(Headers("sk-alpha")));
        Assert.Throws<GatewayException>(() => gate.Admit(new HeaderDictionary()));
        Assert.Equal(3, refusals.Count);
    }

    [Fact]
    public void Headers_between_gateway_and_workers_are_refused()
    {
        var gate = new ApiKeyGate(null, new ManualTime(), (_, _) => { }, NullLogger.Instance);

        var refused = Assert.Throws<GatewayException>(() => gate.Admit(new HeaderDictionary { ["X-Cluster-Gateway-Key"] = "x" }));

        Assert.Equal(403, refused.Status);
    }

    [Fact]
    public void A_key_has_its_share_of_a_minute()
    {
        var time = new ManualTime();
        var account = new ApiKeyAccount(ApiKeyFile.Parse(File, "keys.yaml")[0], time, (_, _) => { });

        account.RequireBudget(40);
        account.Spend(50);
        var tokens = Assert.Throws<GatewayException>(() => account.RequireBudget(40));
        Assert.Equal((429, "tokens_per_minute"), (tokens.Status, tokens.Code));
        Assert.Equal(TimeSpan.FromSeconds(18), tokens.RetryAfter);
        account.RequireBudget(5);
        Assert.Equal("requests_per_minute", Assert.Throws<GatewayException>(() => account.RequireBudget(1)).Code);
        Assert.True(account.MayUse("haiku"));
        Assert.False(account.MayUse("llama"));
    }

    [Fact]
    public async Task A_file_that_changes_is_read_again_and_a_wrong_one_changes_nothing()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "keys.yaml");
        await System.IO.File.WriteAllTextAsync(file, File);
        var time = new ManualTime();
        var gate = new ApiKeyGate(file, time, (_, _) => { }, NullLogger.Instance);
        var first = gate.Admit(Headers("Bearer sk-alpha"));
        using var stop = new CancellationTokenSource();
        var following = gate.RunAsync(stop.Token);

        await Change("keys: [{key: a");
        Assert.Same(first, gate.Admit(Headers("Bearer sk-alpha")));
        await Change(File + "\n- {key: sk-gamma, name: team-c}\n");
        Assert.Equal("team-c", gate.Admit(Headers("Bearer sk-gamma")).Name);
        Assert.Same(first, gate.Admit(Headers("Bearer sk-alpha")));

        await stop.CancelAsync();
        await following;

        async Task Change(string text)
        {
            await System.IO.File.WriteAllTextAsync(file, text);
            await time.TimerSetAsync();
            time.AdvanceToNextTimer();
            await time.TimerSetAsync();
        }
    }

    private static HeaderDictionary Headers(string authorization) => new() { ["Authorization"] = authorization };
}
