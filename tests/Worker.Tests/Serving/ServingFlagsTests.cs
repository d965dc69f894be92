using System.CommandLine;
using Cluster.Common;
using Cluster.Worker.Commands;
using Cluster.Worker.Serving;

namespace Cluster.Worker.Tests.Serving;

public sealed class ServingFlagsTests
{
    [Fact]
    public void Keys_come_from_arguments_before_the_environment()
    {
        var options = Read("--api-key a b", new() { ["CLUSTER_API_KEY"] = "c" });

        Assert.True(options.ApiKeys.Accept("Bearer a"));
        Assert.True(options.ApiKeys.Accept("Bearer b"));
        Assert.False(options.ApiKeys.Accept("Bearer c"));
    }

    [Theory]
    [InlineData("CLUSTER_API_KEY")]
    [InlineData("VLLM_API_KEY")]
    public void Keys_may_stand_in_the_environment(string variable)
    {
        var options = Read("", new() { [variable] = "a, b" });

        Assert.True(options.ApiKeys.Accept("Bearer a"));
        Assert.True(options.ApiKeys.Accept("Bearer b"));
    }

    [Fact]
    public void A_variable_without_a_key_is_a_mistake_and_not_an_open_door() =>
        Assert.Contains(
            "CLUSTER_API_KEY", Assert.Throws<CommandFailure>(() => Read("", new() { ["CLUSTER_API_KEY"] = " " })).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Without_keys_everyone_may_call() => Assert.True(Read("", []).ApiKeys.IsEmpty);

    [Theory]
    [InlineData("--max-request-bytes 0")]
    [InlineData("--request-timeout 0")]
    [InlineData("--request-timeout NaN")]
    [InlineData("--health-timeout -1")]
    [InlineData("--host nowhere")]
    [InlineData("--port 65536")]
    [InlineData("--shutdown-timeout -1")]
    [InlineData("--shutdown-timeout NaN")]
    [InlineData("--shutdown-timeout 1e300")]
    public void A_limit_out_of_range_is_named(string arguments) =>
        Assert.Contains(
            Parse(arguments).Arguments.Errors, error => error.Message.Contains(arguments.Split(' ')[1], StringComparison.Ordinal));

    [Theory]
    [InlineData("--tls-cert a.crt")]
    [InlineData("--ssl-keyfile a.key")]
    public void Certificate_and_key_need_each_other(string arguments) =>
        Assert.Contains(Parse(arguments).Arguments.Errors, error => error.Message.Contains("--tls-key", StringComparison.Ordinal));

    [Fact]
    public void Vllms_names_of_the_certificate_files_are_known() =>
        Assert.Equal(
            ("a.crt", "a.key"),
            Read("--ssl-certfile a.crt --ssl-keyfile a.key", []).Tls is { } tls ? (tls.CertificatePath, tls.KeyPath) : default);

    [Fact]
    public void Localhost_is_this_machine_alone() => Assert.Equal("127.0.0.1", Read("--host localhost", []).Host);

    [Fact]
    public void Keys_may_stand_in_a_file()
    {
        using var folder = new TemporaryFolder().With("keys", "# team\na\n\n  b\r\n");

        var keys = Read($"--api-key-file {folder.Path}/keys", new() { ["CLUSTER_API_KEY"] = "c" }).ApiKeys;

        Assert.Equal([true, true, false, false], new[] { "a", "b", "c", "# team" }.Select(key => keys.Accept($"Bearer {key}")));
    }

    [Theory]
    [InlineData("# none yet\n", "holds no key")]
    [InlineData("sec ret\n", "API key 1 is not usable")]
    [InlineData(null, "keys")]
    public void A_file_that_holds_none_is_an_error_that_tells_no_secret(string? content, string expected)
    {
        using var folder = new TemporaryFolder();
        _ = content is null ? folder : folder.With("keys", content);

        var failure = Assert.Throws<CommandFailure>(() => Read($"--api-key-file {folder.Path}/keys", []));

        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sec ret", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_gateway_s_key_stands_in_a_file_or_in_the_environment()
    {
        using var folder = new TemporaryFolder().With("key", "a\n");
        var environment = new Dictionary<string, string> { ["CLUSTER_GATEWAY_KEY"] = "b", ["POD_NAME"] = "haiku-0" };

        var (file, variable) = (Read($"--gateway-key-file {folder.Path}/key", environment), Read("", environment));

        Assert.Equal([true, false], new[] { "a", "b" }.Select(file.GatewayKey!.Accept));
        Assert.Equal([false, true], new[] { "a", "b" }.Select(variable.GatewayKey!.Accept));
        Assert.Equal("haiku-0", variable.ReplicaName);
        Assert.Null(Read("", []).GatewayKey);
    }

    [Theory]
    [InlineData("", "not usable")]
    [InlineData("sec ret", "not usable")]
    public void A_gateway_s_key_that_is_none_is_an_error_that_tells_no_secret(string key, string expected)
    {
        using var folder = new TemporaryFolder().With("key", key);
        CommandFailure[] failures =
        [
            Assert.Throws<CommandFailure>(() => Read($"--gateway-key-file {folder.Path}/key", [])),
            Assert.Throws<CommandFailure>(() => Read("", new() { ["CLUSTER_GATEWAY_KEY"] = key })),
        ];

        Assert.All(failures, failure => Assert.Contains(expected, failure.Message, StringComparison.Ordinal));
        Assert.All(failures, failure => Assert.DoesNotContain("sec ret", failure.Message, StringComparison.Ordinal));
        Assert.Throws<CommandFailure>(() => Read($"--gateway-key-file {folder.Path}/none", []));
    }

    [Theory]
    [InlineData(UnixFileMode.UserRead, false)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.GroupRead, false)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.OtherRead, true)]
    public void A_secret_that_others_can_read_is_told_of(UnixFileMode mode, bool isOpen)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using var folder = new TemporaryFolder().With("keys", "a").With("tls.key", "b").With("tls.crt", "c");
        foreach (var file in new[] { "keys", "tls.key" })
        {
            File.SetUnixFileMode($"{folder.Path}/{file}", mode);
        }

        var options = Read($"--api-key-file {folder.Path}/keys --tls-key {folder.Path}/tls.key --tls-cert {folder.Path}/tls.crt", []);

        Assert.Equal(isOpen ? [$"{folder.Path}/keys", $"{folder.Path}/tls.key"] : [], options.OpenSecrets);
    }

    [Theory]
    [InlineData("--max-inflight-request-bytes 999 --max-request-bytes 1000", "must be at least --max-request-bytes, which is 1000")]
    [InlineData("--max-inflight-request-bytes 1000", "must be at least --max-request-bytes, which is 33554432")]
    public void The_budget_of_all_bodies_holds_one_of_them(string arguments, string expected) =>
        Assert.Contains(expected, Assert.Throws<CommandFailure>(() => Read(arguments, [])).Message, StringComparison.Ordinal);

    [Fact]
    public void Caches_are_parted_by_keys_where_there_are_keys()
    {
        Assert.True(Read("--api-key a --cache-isolation key", []).IsolatesCacheByKey);
        Assert.False(Read("--api-key a", []).IsolatesCacheByKey);
        Assert.Contains(
            "there are no API keys", Assert.Throws<CommandFailure>(() => Read("--cache-isolation key", [])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Limits_are_read()
    {
        var options = Read("--max-request-bytes 1000 --request-timeout 2.5", []);

        Assert.Equal((1000, TimeSpan.FromSeconds(2.5)), (options.MaxRequestBytes, options.RequestTimeout));
        Assert.Null(Read("", []).RequestTimeout);
    }

    [Fact]
    public void Health_timeout_and_allowed_hosts_are_read()
    {
        var options = Read("--health-timeout 5 --allowed-hosts a.example *.b.example", []);

        Assert.Equal(TimeSpan.FromSeconds(5), options.HealthTimeout);
        Assert.Equal(["a.example", "*.b.example"], options.AllowedHosts);
        Assert.Equal(TimeSpan.FromSeconds(60), Read("", []).HealthTimeout);
        Assert.Empty(Read("", []).AllowedHosts);
    }

    private static ServerOptions Read(string arguments, Dictionary<string, string> environment)
    {
        var (flags, parsed) = Parse(arguments);
        Assert.Empty(parsed.Errors);
        return flags.Read(parsed, environment.GetValueOrDefault);
    }

    private static (ServingFlags Flags, ParseResult Arguments) Parse(string arguments)
    {
        var flags = new ServingFlags();
        var command = new Command("serve");
        flags.AddTo(command);
        return (flags, command.Parse(arguments));
    }
}
