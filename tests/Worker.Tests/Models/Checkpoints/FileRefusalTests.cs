using System.Diagnostics;
using System.Net.Sockets;
using Cluster.Common.Files;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Models.Checkpoints;

/// <summary>What stands under the name of a checkpoint's file and is no file is refused at once, by name and with what would be
/// right.</summary>
public sealed class FileRefusalTests : IDisposable
{
    private readonly TemporaryFolder _root = new();
    private readonly string _model;
    private Socket? _socket;

    public FileRefusalTests()
    {
        _model = Path.Combine(_root.Path, "model");
        Directory.CreateDirectory(_model);
        foreach (var file in Directory.EnumerateFiles(Fixtures.Haiku))
        {
            File.Copy(file, Path.Combine(_model, Path.GetFileName(file)));
        }
    }

    /// <summary>Each file that is read of a checkpoint, with everything that may stand in its place.</summary>
    public static MatrixTheoryData<string, string> Cases => new(
        ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
            "chat_template.jinja", "model.safetensors", "model.safetensors.index.json", "quantize_config.json"],
        ["/dev/zero", "/dev/random", "pipe", "folder", "socket", "loop", "outside", "huge"]);

    public void Dispose()
    {
        _socket?.Dispose();
        _root.Dispose();
    }

    [Theory, MemberData(nameof(Cases))]
    public void What_is_no_file_is_refused_by_name(string file, string what)
    {
        var path = Path.Combine(_model, file);
        File.Delete(path);
        if (file == "model.safetensors.index.json")
        {
            File.Delete(Path.Combine(_model, "model.safetensors"));
        }

        var found = Put(path, what);
        if (file == "model.safetensors" && what == "huge")
        {
            // As long as weights may be, but none.
            Assert.Contains("is not a safetensors file", Assert.Throws<CheckpointFormatException>(Load).Message);
            return;
        }

        var error = Assert.Throws<RefusedFileException>(Load);
        Assert.Equal(path, error.Path);
        Assert.StartsWith($"{path}: {found}", error.Message);
        Assert.Contains("; expected ", error.Message);
        Assert.Contains(" in a regular file of at most ", error.Message);
    }

    [Fact]
    public void Links_within_the_folder_are_followed()
    {
        Directory.CreateDirectory(Path.Combine(_model, "..data"));
        foreach (var file in Directory.EnumerateFiles(_model).ToList())
        {
            var target = Path.Combine("..data", Path.GetFileName(file));
            File.Move(file, Path.Combine(_model, target));
            File.CreateSymbolicLink(file, target);
        }

        Load();
    }

    [Fact]
    public void Links_of_a_snapshot_to_the_blobs_of_its_cache_are_followed()
    {
        var repository = Path.Combine(_root.Path, "models--org--name");
        var snapshot = Path.Combine(repository, "snapshots", new string('a', 40));
        Directory.CreateDirectory(snapshot);
        Directory.CreateDirectory(Path.Combine(repository, "blobs"));
        foreach (var file in Directory.EnumerateFiles(_model))
        {
            var name = Path.GetFileName(file);
            File.Copy(file, Path.Combine(repository, "blobs", name + "-hash"));
            File.CreateSymbolicLink(Path.Combine(snapshot, name), Path.Combine("..", "..", "blobs", name + "-hash"));
        }

        Load(snapshot);

        // The folder itself may be a link as well.
        Directory.CreateSymbolicLink(Path.Combine(_root.Path, "link"), snapshot);
        Load(Path.Combine(_root.Path, "link"));
    }

    [Fact]
    public void A_link_to_the_blobs_of_another_model_is_refused()
    {
        var snapshot = Path.Combine(_root.Path, "models--a--b", "snapshots", new string('a', 40));
        Directory.CreateDirectory(snapshot);
        _root.Write("models--c--d/blobs/x", "{}");
        File.CreateSymbolicLink(Path.Combine(snapshot, "config.json"), Path.Combine(_root.Path, "models--c--d", "blobs", "x"));

        Assert.Contains("outside of its folder", Assert.Throws<RefusedFileException>(() => ModelLoader.ConfigOf(snapshot)).Message);
    }

    [Fact]
    public void A_link_that_leads_nowhere_is_named_with_where()
    {
        var path = Path.Combine(_model, "config.json");
        File.Delete(path);
        File.CreateSymbolicLink(path, "gone.json");

        Assert.Equal($"{path}: is a link to 'gone.json', which is not there", Assert.Throws<FileNotFoundException>(() => Load()).Message);
    }

    [Fact]
    public async Task A_load_that_stands_still_says_at_which_file_and_tensor()
    {
        ManualTime time = new();
        List<string> log = [];
        var options = new StartupOptions(
            _model, new DeviceOptions("cpu") { CpuThreads = 1 }, new RankOptions(1, null, TimeSpan.FromSeconds(30)),
            new ModelRunnerOptions { NumBlocks = 4, MaxSequences = 1, MaxBatchedTokens = 16, MaxModelLength = 32 }, new EngineOptions());

        var stuck = new StuckProgress(() => time.Advance(LoadWatch.Patience));
        await using var engine = TextEngine.Load(options, new ModelFolders(_model), stuck, log.Add, time: time);

        var place = $"{Path.Combine(_model, "model.safetensors")}, tensor 'model.embed_tokens.weight'";
        Assert.Contains($"the load has not come further than {place} for 30 s", log);
        Assert.Equal(0, time.PendingTimers);
    }

    [Fact]
    public void A_load_that_moves_says_nothing_and_each_patience_is_told_once()
    {
        ManualTime time = new();
        List<string> log = [];
        using (LoadWatch.Start(time, log.Add))
        {
            time.Advance(LoadWatch.Patience);
            Assert.Empty(log);
            LoadWatch.At("/m/config.json");
            time.Advance(LoadWatch.Patience - TimeSpan.FromSeconds(1));
            LoadWatch.At("/m/tokenizer.json");
            time.Advance(TimeSpan.FromSeconds(1));
            Assert.Empty(log);
            time.Advance(2 * LoadWatch.Patience);
        }

        LoadWatch.At("/m/elsewhere");
        time.Advance(LoadWatch.Patience);
        Assert.All(log, line => Assert.StartsWith("the load has not come further than /m/tokenizer.json for ", line));
        Assert.NotEmpty(log);
    }

    private void Load() => Load(_model);

    private static void Load(string folder)
    {
        Tokenizer.Load(folder);
        ChatTemplate.Load(folder);
        ModelLoader.Load(
            folder, CpuBackend.Create(new CpuOptions { Threads = 1, MemoryBytes = 1L << 28 }),
            new ModelRunnerOptions { NumBlocks = 4, MaxBatchedTokens = 16, MaxSequences = 1, MaxModelLength = 32 }).Dispose();
    }

    /// <returns>What the message must say it is.</returns>
    private string Put(string path, string what)
    {
        switch (what)
        {
            case "pipe":
                Process.Start("mkfifo", [path]).WaitForExit();
                return "is a named pipe";
            case "folder":
                Directory.CreateDirectory(path);
                return "is a folder";
            case "socket":
                _socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                _socket.Bind(new UnixDomainSocketEndPoint(path));
                return "is a socket";
            case "loop":
                File.CreateSymbolicLink(path + ".2", path);
                File.CreateSymbolicLink(path, path + ".2");
                return "is a link that leads in a circle";
            case "outside":
                var target = _root.Write("elsewhere/" + Path.GetFileName(path), "{}");
                File.CreateSymbolicLink(path, target);
                return $"is a link to '{target}', which is outside of its folder";
            case "huge":
                using (var file = File.Create(path))
                {
                    file.SetLength(10L << 30);
                }

                return $"has {10L << 30} bytes";
            default:
                File.CreateSymbolicLink(path, what);
                return $"is a link to '{what}', a device";
        }
    }

    private sealed class StuckProgress(Action once) : IProgress<LoadProgress>
    {
        private bool _done;

        public void Report(LoadProgress value)
        {
            if (!_done)
            {
                _done = true;
                once();
            }
        }
    }
}
