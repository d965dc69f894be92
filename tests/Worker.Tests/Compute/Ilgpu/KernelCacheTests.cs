using Cluster.Worker.Compute.Ilgpu.Compile;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

public sealed class KernelCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private int _made;

    [Fact]
    public void What_was_made_once_is_read_the_next_time_also_by_another_process()
    {
        Assert.Equal([1], Get("a", "b"));
        Assert.Equal([1], Get("a", "b"));
        Assert.Equal([2], Get("ab", ""));
        Assert.Equal([3], Get("a", "b", extension: ".cl"));
    }

    [Fact]
    public void A_damaged_or_shortened_file_is_made_anew()
    {
        _ = Get("a");
        var file = Directory.GetFiles(_folder.Path).Single();
        var bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.Equal([2], Get("a"));
        File.WriteAllBytes(file, bytes[..7]);
        Assert.Equal([3], Get("a"));
    }

    [Fact]
    public void What_a_driver_did_not_take_is_forgotten()
    {
        _ = Get("a");
        new KernelCache(_folder.Path).Remove(".bin", ["a", ""]);

        Assert.Equal([2], Get("a"));
    }

    [Fact]
    public void Without_a_folder_or_with_one_that_cannot_be_written_everything_is_made_each_time()
    {
        var file = Path.Combine(_folder.Path, "file");
        File.WriteAllText(file, "in the way");
        Assert.All<string?>([null, Path.Combine(file, "below")], folder =>
        {
            var cache = new KernelCache(folder);
            var made = 0;
            _ = cache.GetOrMake(".bin", ["a"], () => [(byte)++made]);
            Assert.Equal([2], cache.GetOrMake(".bin", ["a"], () => [(byte)++made]));
        });
    }

    public void Dispose() => _folder.Dispose();

    private byte[] Get(string first, string second = "", string extension = ".bin") =>
        new KernelCache(_folder.Path).GetOrMake(extension, [first, second], () => [(byte)++_made]);
}
