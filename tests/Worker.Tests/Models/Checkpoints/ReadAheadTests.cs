using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Tests.Models.Checkpoints;

/// <summary>Files that are read while the loader works on what came before.</summary>
public sealed class ReadAheadTests : IDisposable
{
    private const long Segment = 64 << 10;
    private const long Window = 1 << 20;

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Files_are_read_whole_and_the_progress_is_passed_on()
    {
        var source = new Files(_folder, (Segment * 2) + 5, Segment, 7);
        var heard = new List<LoadProgress>();
        using var ahead = Read(source, new Listener(heard.Add));
        await Eventually.True(() => ahead.BytesRead == (Segment * 3) + 12, "all files are read");

        ahead.Report(new LoadProgress(3, 4, "x"));
        Assert.Equal([new LoadProgress(3, 4, "x")], heard);
    }

    [Fact]
    public async Task No_more_is_read_than_the_window_ahead_of_the_loader()
    {
        var source = new Files(_folder, Window, Segment * 4);
        using var ahead = Read(source);
        await Eventually.True(() => ahead.BytesRead == Window + Segment, "the window is read, and what begins at its end");
        ahead.Report(new LoadProgress(Segment * 2, 0, ""));
        await Eventually.True(() => ahead.BytesRead == Window + (Segment * 3), "as much as the loader has taken");
    }

    [Fact]
    public async Task What_the_loader_has_taken_is_not_read_and_ranks_share_the_rest()
    {
        var source = new Files(_folder, Window + (Segment * 8));
        using var first = Read(source, rank: 0, ranks: 2);
        using var second = Read(source, rank: 1, ranks: 2);
        await Eventually.True(
            () => first.BytesRead + second.BytesRead == Window + Segment && Math.Abs(first.BytesRead - second.BytesRead) <= Segment,
            "each has its half of the window");
    }

    [Fact]
    public async Task What_is_in_the_page_cache_is_not_read()
    {
        var source = new Files(_folder, Segment * 4);
        using var ahead = new ReadAhead(
            source, null, segment: Segment, window: Window, isCached: (_, offset, length) => (offset, length) != (Segment * 2, Segment));
        await Eventually.True(() => ahead.BytesRead == Segment, "the one segment that is not cached is read");
    }

    [Fact]
    public void The_page_cache_holds_what_was_just_written_and_nothing_beyond_a_file()
    {
        var path = Path.Combine(_folder, "written");
        File.WriteAllBytes(path, new byte[3 << 20]);
        using var file = File.OpenHandle(path);

        Assert.True(PageCache.Holds(file, 0, 3 << 20));
        Assert.False(PageCache.Holds(file, 0, 4 << 20));
    }

    [Fact]
    public void Small_models_and_those_without_files_start_no_threads()
    {
        using var small = Read(new Files(_folder, 100));
        using var none = Read(new Files(_folder));
        Assert.Equal((0L, 0L), (small.BytesRead, none.BytesRead));
    }

    [Fact]
    public async Task A_loader_that_fails_stops_it_while_it_waits_for_the_window()
    {
        var ahead = Read(new Files(_folder, Window * 2));
        Assert.True(await Eventually.EndsAsync(Task.Run(ahead.Dispose), Eventually.Limit));
        Assert.InRange(ahead.BytesRead, 0, Window + Segment);
    }

    private static ReadAhead Read(WeightSource source, IProgress<LoadProgress>? listener = null, int rank = 0, int ranks = 1) =>
        new(source, listener, rank, ranks, Segment, Window, (_, _, _) => false);

    private sealed class Listener(Action<LoadProgress> told) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => told(value);
    }

    private sealed class Files : WeightSource
    {
        private readonly string[] _paths;

        public Files(string folder, params long[] lengths)
        {
            Location = folder;
            _paths = [.. lengths.Select((length, i) =>
            {
                var path = Path.Combine(folder, $"part-{i}");
                using var file = File.Create(path);
                file.SetLength(length);
                return path;
            })];
        }

        public override string Location { get; }

        public override IReadOnlyCollection<string> Names => [.. _paths.Select(path => Path.GetFileName(path)), "absent"];

        public override long TotalBytes => 0;

        public override HostTensor? Find(string name) => null;

        public override string FileOf(string name) => Path.Combine(Location, name);
    }
}
