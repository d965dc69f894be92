using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Manifests;
using Cluster.Operator.Plugin;
using Cluster.Operator.Tests.Reconciling;

namespace Cluster.Operator.Tests.Plugin;

public sealed class WhatIfTests
{
    [Fact]
    public void Names_are_paths_or_fields_of_one_part_and_values_are_what_the_field_is()
    {
        var (changed, changes) = WhatIf.Apply(
            ModelDeploymentDefaults.Apply(Given.Deployment()),
            ["replicas=4,tp=2", "maxModelLen=8192", "gpu.nodeSelector.amd.com/gpu.device-id=741", "hive=false", "placement=Spread"]);

        Assert.Equal(4, changed.Spec.Replicas);
        Assert.Equal(2, changed.Spec.TensorParallelSize.Degree);
        Assert.Equal(8192, changed.Spec.Engine.MaxModelLen);
        Assert.Equal("741", changed.Spec.Gpu.NodeSelector!["amd.com/gpu.device-id"]);
        Assert.False(changed.Spec.Gpu.RequireSameHive);
        Assert.Equal(GpuPlacementPolicy.Spread, changed.Spec.Gpu.Placement);
        Assert.Equal(
            [
                "replicas: 1 → 4", "tensorParallelSize: 1 → 2", "engine.maxModelLen: unset → 8192",
                "gpu.nodeSelector.amd.com/gpu.device-id: unset → 741", "gpu.requireSameHive: true → false",
                "gpu.placement: Pack → Spread",
            ], changes);
    }

    [Fact]
    public void No_value_takes_a_field_away_and_the_deployment_that_is_there_stays_as_it_is()
    {
        var deployment = ModelDeploymentDefaults.Apply(Given.Deployment(change: spec => spec.Engine.MaxModelLen = 4096));

        var (changed, changes) = WhatIf.Apply(deployment, ["maxModelLen="]);

        Assert.Null(changed.Spec.Engine.MaxModelLen);
        Assert.Equal(["engine.maxModelLen: 4096 → unset"], changes);
        Assert.Equal(4096, deployment.Spec.Engine.MaxModelLen);
        Assert.Same(deployment.Metadata, changed.Metadata);
    }

    [Fact]
    public void A_number_takes_away_what_says_how_auto_decides()
    {
        var deployment = ModelDeploymentDefaults.Apply(Given.Deployment(change: spec =>
            (spec.TensorParallelSize, spec.OptimizeFor, spec.Model.Config) = (TensorParallelSize.Auto, OptimizeFor.Latency, [])));

        var (changed, _) = WhatIf.Apply(deployment, ["tp=2"]);

        Assert.Equal((2, null, null), (changed.Spec.TensorParallelSize.Degree, changed.Spec.OptimizeFor, changed.Spec.Model.Config));
    }

    [Theory]
    [InlineData("replicas", "expected NAME=VALUE")]
    [InlineData("colour=blue", "spec has no field 'colour'; it has ")]
    [InlineData("gpu.colour=blue", "spec.gpu has no field 'colour'")]
    [InlineData("allocation=DevicePlugin", "it cannot be changed")]
    [InlineData("replicas=[", "--what-if replicas=[")]
    public void What_names_no_field_is_refused(string assignment, string message)
    {
        var failure = Assert.Throws<CommandFailure>(() => WhatIf.Apply(ModelDeploymentDefaults.Apply(Given.Deployment()), [assignment]));

        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("replicas=two")]
    [InlineData("tp=0")]
    [InlineData("rollout.maxUnavailable=0")]
    public void What_the_schema_refuses_is_refused(string assignment) =>
        Assert.Throws<ManifestException>(() => WhatIf.Apply(ModelDeploymentDefaults.Apply(Given.Deployment()), [assignment]));
}
