using System.Net;
using System.Text;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

public sealed class ModelConfigsTests
{
    private const string Index = """{"metadata": {"total_size": 16060522496}, "weight_map": {}}""";

    private static readonly ModelSource Model = ModelSource.Parse("hf://org/name@refs/pr/1");

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_hub_is_asked_for_two_files_without_a_token()
    {
        FakeHub hub = new()
        {
            ["/mirror/org/name/resolve/refs%2Fpr%2F1/config.json"] = PublishedModels.Config("Yi-34B").ToJsonString(),
            ["/mirror/org/name/resolve/refs%2Fpr%2F1/model.safetensors.index.json"] = Index
        };
        var config = await hub.Configs("https://hub.example/mirror/").ReadAsync(Model, Cancelled);
        Assert.Equal(("llama", 16060522496L), ((string?)config.Json["model_type"], config.WeightBytes));
        Assert.Equal("config.json of org/name@refs/pr/1 at hub.example", config.Origin);
        Assert.Equal(2, hub.Requests.Count);
        Assert.All(hub.Requests, request => Assert.Null(request.Headers.Authorization));
    }

    [Fact]
    public async Task A_checkpoint_of_one_file_has_no_index() =>
        Assert.Null(
            (await new FakeHub { ["/org/name/resolve/main/config.json"] = "{}" }.Configs()
                .ReadAsync(ModelSource.Parse("hf://org/name"), Cancelled)).WeightBytes);

    [Theory]
    [InlineData(HttpStatusCode.Unauthorized, null, "hub.example has no config.json of org/name at revision main for everybody to read")]
    [InlineData(HttpStatusCode.NotFound, null, "for everybody to read")]
    [InlineData(HttpStatusCode.BadGateway, null, "hub.example answered 502 to /org/name/resolve/main/config.json")]
    [InlineData(HttpStatusCode.OK, "<html>", "config.json is not JSON")]
    [InlineData(HttpStatusCode.OK, "[1]", "config.json is no JSON object")]
    public async Task What_the_hub_cannot_give_is_said(HttpStatusCode status, string? text, string message)
    {
        FakeHub hub = new() { Status = status };
        if (text is not null)
        {
            hub["/org/name/resolve/main/config.json"] = text;
        }

        var failure = await Assert.ThrowsAsync<ModelConfigException>(
            () => hub.Configs().ReadAsync(ModelSource.Parse("hf://org/name"), Cancelled));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hub_that_nobody_reaches_is_named()
    {
        FakeHub hub = new() { Failure = new HttpRequestException("no route") };
        var failure = await Assert.ThrowsAsync<ModelConfigException>(() => hub.Configs().ReadAsync(Model, Cancelled));
        Assert.Contains("hub.example cannot be asked for", failure.Message, StringComparison.Ordinal);
        Assert.Contains("no route", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answers_are_remembered_and_failures_for_less_long()
    {
        ManualTime time = new();
        FakeHub hub = new() { Failure = new HttpRequestException("no route") };
        RememberedModelConfigs configs = new(hub.Configs(), time);
        await Assert.ThrowsAsync<ModelConfigException>(() => configs.ReadAsync(Model, Cancelled));
        await Assert.ThrowsAsync<ModelConfigException>(() => configs.ReadAsync(Model, Cancelled));
        Assert.Single(hub.Requests);

        hub.Failure = null;
        hub["/org/name/resolve/refs%2Fpr%2F1/config.json"] = "{}";
        time.Advance(TimeSpan.FromMinutes(1));
        await configs.ReadAsync(Model, Cancelled);
        await configs.ReadAsync(Model, Cancelled);
        Assert.Equal(3, hub.Requests.Count);
        time.Advance(TimeSpan.FromMinutes(11));
        await configs.ReadAsync(Model, Cancelled);
        Assert.Equal(5, hub.Requests.Count);
    }

    [Fact]
    public async Task A_folder_of_this_machine_is_read_where_the_node_has_it()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(Path.Combine(folder.Path, "m"));
        FolderModelConfigs configs = new(path => path.Replace("/models", folder.Path, StringComparison.Ordinal), new NoModelConfigs());
        var missing = await Assert.ThrowsAsync<ModelConfigException>(
            () => configs.ReadAsync(ModelSource.Parse("file:///models/m"), Cancelled));
        Assert.Equal($"there is no config.json in /models/m ({folder.Path}/m on this machine)", missing.Message);

        await File.WriteAllTextAsync(Path.Combine(folder.Path, "m", "config.json"), "{}", Cancelled);
        await File.WriteAllBytesAsync(Path.Combine(folder.Path, "m", "model.safetensors"), new byte[100], Cancelled);
        Assert.Equal(100, (await configs.ReadAsync(ModelSource.Parse("file:///models/m"), Cancelled)).WeightBytes);
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "m", "model.safetensors.index.json"), Index, Cancelled);
        Assert.Equal(16060522496L, (await configs.ReadAsync(ModelSource.Parse("file:///models/m"), Cancelled)).WeightBytes);
        await Assert.ThrowsAsync<ModelConfigException>(() => configs.ReadAsync(ModelSource.Parse("pvc://claim"), Cancelled));
    }

    private sealed class FakeHub : HttpMessageHandler
    {
        private readonly Dictionary<string, string> _files = new(StringComparer.Ordinal);

        public HttpStatusCode Status { get; init; } = HttpStatusCode.NotFound;

        public HttpRequestException? Failure { get; set; }

        public List<HttpRequestMessage> Requests { get; } = [];

        public string this[string path]
        {
            set => _files[path] = value;
        }

        public HubModelConfigs Configs(string endpoint = "https://hub.example") =>
            new(new HttpClient(this), new Uri(endpoint), new NoModelConfigs());

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests.Add(request);
            return Failure is not null ? throw Failure
                : Task.FromResult(_files.TryGetValue(request.RequestUri!.AbsolutePath, out var text)
                    ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(text, Encoding.UTF8) }
                    : new HttpResponseMessage(Status) { Content = new StringContent("") });
        }
    }
}
