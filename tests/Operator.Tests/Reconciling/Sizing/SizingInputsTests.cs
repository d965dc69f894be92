using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

public sealed class SizingInputsTests
{
    [Theory]
    [InlineData(null, null)]
    [InlineData("auto", null)]
    [InlineData("float32", 4)]
    [InlineData("float16", 2)]
    [InlineData("bfloat16", 2)]
    [InlineData("fp8", 1)]
    [InlineData("fp8_e4m3", 1)]
    [InlineData("fp8_e5m2", 1)]
    public void A_cached_value_takes_what_its_type_takes(string? type, int? bytes) => Assert.Equal(
        bytes, SizingInputs.Of(new ModelDeploymentSpec { Engine = new EngineSpec { KvCacheDtype = type } }).KvElementBytes);
}
