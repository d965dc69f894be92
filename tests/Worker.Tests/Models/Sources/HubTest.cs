using System.Collections.Concurrent;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>A fake hub with a small checkpoint on it, an empty cache, and stores that use both without ever waiting.</summary>
internal sealed class HubTest : IAsyncDisposable, IProgress<HubProgress>
{
    public const string Weights = "model.safetensors";
    public const string WeightsAddress = $"/{FakeHub.Repository}/resolve/{FakeHub.Commit}/{Weights}";

    private readonly TemporaryFolder _folder = new();
    private readonly HttpClient _http = HubClient.CreateHttpClient();

    private HubTest(FakeHub hub, string? disk)
    {
        Hub = hub;
        CacheFolder = Path.Combine(disk ?? _folder.Path, "hub");
    }

    public FakeHub Hub { get; }

    public static HubModel Model { get; } = new(FakeHub.Repository, HubModel.DefaultRevision);

    public string CacheFolder { get; }

    public string RepositoryFolder => Path.Combine(CacheFolder, "models--test--model");

    public string SnapshotFolder => Path.Combine(RepositoryFolder, "snapshots", FakeHub.Commit);

    public ConcurrentQueue<string> Log { get; } = new();

    public ConcurrentQueue<TimeSpan> Pauses { get; } = new();

    public ConcurrentQueue<HubProgress> Progress { get; } = new();

    /// <summary>Called with each report.</summary>
    public Action<HubProgress> OnProgress { get; set; } = _ => { };

    /// <summary>Content of the weight file.</summary>
    public byte[] WeightBytes { get; private set; } = [];

    /// <param name="weightBytes">Size of the weight file.</param>
    /// <param name="disk">Folder for the cache; null for one of its own.</param>
    public static Task<HubTest> StartAsync(int weightBytes = 300_000, string? disk = null) => StartAsync(RandomBytes(weightBytes), disk);

    /// <param name="weights">Content of the weight file.</param>
    /// <param name="disk">Folder for the cache; null for one of its own.</param>
    public static async Task<HubTest> StartAsync(byte[] weights, string? disk = null)
    {
        var test = new HubTest(await FakeHub.StartAsync(), disk);
        test.Hub.Add("config.json", "{\"model_type\": \"llama\"}");
        test.Hub.Add("tokenizer.json", "{}");
        test.Hub.Add("README.md", "# a model");
        test.WeightBytes = test.Hub.Add(Weights, weights, large: true);
        return test;
    }

    public static byte[] RandomBytes(int count, int seed = 1)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public HubModelStore Store(
        string? token = null, bool offline = false, HubOptions? options = null, TimeProvider? time = null,
        Func<string, long>? freeBytes = null) => new(
        _http,
        new HubEnvironment { Endpoint = Hub.Address, Token = token, CacheFolder = CacheFolder, Offline = offline },
        options ?? new HubOptions(),
        time ?? TimeProvider.System,
        Log.Enqueue,
        async (duration, cancellationToken) =>
        {
            Pauses.Enqueue(duration);
            await Task.Delay(1, cancellationToken);
        },
        freeBytes,
        new Random(7));

    public Task<string> FetchAsync(string? token = null, bool offline = false, HubOptions? options = null, TimeProvider? time = null) =>
        Store(token, offline, options, time).FetchAsync(Model, this, TestContext.Current.CancellationToken);

    public async Task<HubException> FailAsync(string? token = null, bool offline = false, HubModel? model = null) =>
        await Assert.ThrowsAsync<HubException>(
            () => Store(token, offline).FetchAsync(model ?? Model, this, TestContext.Current.CancellationToken));

    /// <summary>Lets the first requests for the weights at the storage host fail in some way.</summary>
    public void InterfereWithWeights(params Func<FakeHubRequest, Microsoft.AspNetCore.Http.HttpContext, Task>[] faults)
    {
        var next = -1;
        Hub.Interfere = async (request, context) =>
        {
            if (!request.AtStorage || Interlocked.Increment(ref next) >= faults.Length)
            {
                return false;
            }

            await faults[next](request, context);
            return true;
        };
    }

    public IReadOnlyList<FakeHubRequest> RequestsAtStorage => [.. Hub.Requests.Where(request => request.AtStorage)];

    public string PartialPath => Path.Combine(RepositoryFolder, "blobs", FakeHub.HashOf(WeightBytes, large: true) + ".incomplete");

    public void AssertWeightsAreWhole() => Assert.Equal(WeightBytes, File.ReadAllBytes(Path.Combine(SnapshotFolder, Weights)));

    public void AssertWeightsAreInvisible()
    {
        Assert.False(Path.Exists(Path.Combine(SnapshotFolder, Weights)));
        Assert.False(File.Exists(Path.Combine(RepositoryFolder, "blobs", FakeHub.HashOf(WeightBytes, large: true))));
        Assert.False(Directory.Exists(Path.Combine(RepositoryFolder, "refs")));
    }

    public void Report(HubProgress value)
    {
        Progress.Enqueue(value);
        OnProgress(value);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Hub.DisposeAsync();
        _folder.Dispose();
    }
}
