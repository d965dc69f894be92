using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Quantization;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>Where <see cref="WeightLoader.CacheScales"/> finds the scales of an FP8 cache.</summary>
public sealed class CacheScaleTests
{
    [Theory]
    [InlineData("a.k_scale", "a.v_scale")]
    [InlineData("a.k_proj.k_scale", "a.v_proj.v_scale")]
    [InlineData("a.k_proj.output_scale", "a.v_proj.output_scale")]
    [InlineData("a.attn.k_scale", "a.attn.v_scale")]
    public void Every_spelling_is_read(string key, string value)
    {
        var loader = Loader(HostTensors.Of(key, DType.BF16, [0.5f]), HostTensors.Of(value, DType.F32, [3f], 1));

        Assert.Equal(new KvScales(0.5f, 3), loader.CacheScales("a.q_proj"));
        loader.RefuseUnused(_ => false);
    }

    [Fact]
    public void One_scale_may_stand_for_both() => Assert.Equal(
        new KvScales(0.25f, 0.25f), Loader(HostTensors.Of("a.kv_scale", DType.F32, [0.25f])).CacheScales("a.q_proj"));

    [Fact]
    public void There_need_not_be_any() => Assert.Null(Loader().CacheScales("a.q_proj"));

    [Fact]
    public void Scales_that_make_no_sense_are_refused_by_name()
    {
        string Refused(params HostTensor[] tensors) =>
            Assert.Throws<CheckpointFormatException>(() => Loader(tensors).CacheScales("a.q_proj")).Message;
        HostTensor Scale(string name, params float[] values) => HostTensors.Of(name, DType.F32, values, values.Length);

        Assert.Contains("'a.v_scale' is missing", Refused(Scale("a.k_scale", 1)));
        Assert.Contains("'a.k_scale' is 0; a scale of the cache is positive", Refused(Scale("a.k_scale", 0), Scale("a.v_scale", 1)));
        Assert.Contains(
            "'a.k_scale' has shape [2]; supported: one scale of the cache for all heads",
            Refused(Scale("a.k_scale", 1, 1), Scale("a.v_scale", 1)));
    }

    private static WeightLoader Loader(params HostTensor[] tensors) => new(new MemoryWeights(tensors), new RecordingBackend(), null);
}
