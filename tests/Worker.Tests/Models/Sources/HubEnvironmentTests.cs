using Cluster.Common.Files;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Sources;

public class HubEnvironmentTests
{
    [Fact]
    public void Defaults_are_those_of_huggingface_hub()
    {
        var environment = Of([]);

        Assert.Equal(HubEnvironment.DefaultEndpoint + "/", environment.Endpoint.AbsoluteUri);
        Assert.Equal("/home/user/.cache/huggingface/hub", environment.CacheFolder);
        Assert.Null(environment.Token);
        Assert.False(environment.Offline);
    }

    [Theory]
    [InlineData("HF_HOME=/data", "/data/hub")]
    [InlineData("HF_HOME=~/hf", "/home/user/hf/hub")]
    [InlineData("XDG_CACHE_HOME=/xdg", "/xdg/huggingface/hub")]
    [InlineData("HF_HOME=/data HF_HUB_CACHE=/fast", "/fast")]
    [InlineData("HUGGINGFACE_HUB_CACHE=/old", "/old")]
    [InlineData("HF_HOME=", "/home/user/.cache/huggingface/hub")]
    public void The_cache_is_where_the_variables_say(string variables, string expected) =>
        Assert.Equal(expected, Of(variables.Split(' ')).CacheFolder);

    [Fact]
    public void A_download_folder_overrides_the_cache() =>
        Assert.Equal("/models", HubEnvironment.From(name => name == "HF_HOME" ? "/data" : null, "/home/user", "/models").CacheFolder);

    [Fact]
    public void The_token_is_read_from_the_variable_else_from_the_file()
    {
        using var folder = new TemporaryFolder();
        folder.Write("token", "hf_file\n");

        Assert.Equal("hf_file", Of([$"HF_HOME={folder.Path}"]).Token);
        Assert.Equal("hf_variable", Of([$"HF_HOME={folder.Path}", "HF_TOKEN=hf_variable"]).Token);
        Assert.Equal("hf_file", Of([$"HF_TOKEN_PATH={folder.Path}/token"]).Token);
    }

    [Fact]
    public void A_token_that_would_break_a_header_is_refused_without_being_shown()
    {
        var error = Assert.Throws<HubFormatException>(() => Of(["HF_TOKEN=hf_secret\r\nX-Evil: 1"]));

        Assert.Equal("HF_TOKEN: holds an access token with spaces, line breaks or non-ASCII characters in it", error.Message);
    }

    [Fact]
    public void A_token_file_that_is_none_is_refused()
    {
        using var folder = new TemporaryFolder();
        folder.Write("token", new byte[5000]);

        Assert.Contains(
            "at most 4096 bytes", Assert.Throws<RefusedFileException>(() => Of([$"HF_HOME={folder.Path}"])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void No_text_of_it_shows_the_token() =>
        Assert.DoesNotContain("hf_secret", Of(["HF_TOKEN=hf_secret"]).ToString(), StringComparison.Ordinal);

    [Theory]
    [InlineData("1", true)]
    [InlineData("true", true)]
    [InlineData("Yes", true)]
    [InlineData("on", true)]
    [InlineData("0", false)]
    [InlineData("no", false)]
    public void Offline_is_read_as_a_switch(string value, bool expected) =>
        Assert.Equal(expected, Of([$"HF_HUB_OFFLINE={value}"]).Offline);

    [Theory]
    [InlineData("not an address")]
    [InlineData("ftp://mirror")]
    [InlineData("https://user:password@mirror")]
    [InlineData("https://mirror/?x=1")]
    public void An_endpoint_that_is_none_is_refused(string endpoint) =>
        Assert.StartsWith(
            "HF_ENDPOINT: ", Assert.Throws<HubFormatException>(() => Of([$"HF_ENDPOINT={endpoint}"])).Message, StringComparison.Ordinal);

    [Fact]
    public void An_endpoint_may_lie_below_a_path() =>
        Assert.Equal("https://gateway/hub/mirror", Of(["HF_ENDPOINT=https://gateway/hub/mirror/"]).Endpoint.AbsoluteUri);

    private static HubEnvironment Of(string[] variables)
    {
        var values = variables.Select(variable => variable.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        return HubEnvironment.From(values.GetValueOrDefault, "/home/user");
    }
}
