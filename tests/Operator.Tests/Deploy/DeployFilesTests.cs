using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Reconciling;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Tests.Deploy;

/// <summary>The files under deploy/ that nobody compiles.</summary>
public sealed class DeployFilesTests
{
    private static readonly string Deploy = Path.Combine(RepositoryRoot.Path, "deploy");

    public static TheoryData<string> Samples { get; } = [
        .. Directory.EnumerateFiles(Path.Combine(Deploy, "samples"), "*.yaml").Select(file => Path.GetFileName(file)!)
            .Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Samples))]
    public void Samples_pass_the_operators_own_checks_and_become_pods(string file)
    {
        var manifests = Manifest.Load(Path.Combine(Deploy, "samples", file));
        List<ModelDeployment> deployments = [
            .. manifests.Where(manifest => manifest.Kind == ApiNames.Kind)
                .Select(manifest => KubernetesJson.Read<ModelDeployment>(manifest.Object))];

        Assert.NotEmpty(deployments);
        Assert.All(deployments, deployment =>
        {
            Assert.Empty(ModelDeploymentValidator.Validate(deployment));
            Assert.NotNull(
                WorkerTemplate.For(
                    deployment.Spec.TensorParallelSize.IsAuto ? deployment.Sized(1) : deployment, Given.Options).Manifest);
        });
    }

    [Fact]
    public void Samples_have_names_of_their_own()
    {
        List<string> names = [.. Manifest.Load(Path.Combine(Deploy, "samples")).Select(manifest => $"{manifest.Kind}/{manifest.Name}")];

        Assert.Equal(names.Distinct(), names);
    }

    [Theory]
    [InlineData("crds", "*.yaml")]
    [InlineData("dashboards", "*.json")]
    public void The_chart_carries_the_same_files(string folder, string pattern)
    {
        string[] originals = [.. Directory.EnumerateFiles(Path.Combine(Deploy, folder), pattern).Order(StringComparer.Ordinal)];
        var chart = Path.Combine(Deploy, "helm", "cluster", folder);

        Assert.NotEmpty(originals);
        Assert.Equal(
            originals.Select(Path.GetFileName), Directory.EnumerateFiles(chart).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(originals, original =>
        {
            var copy = Path.Combine(chart, Path.GetFileName(original));
            Assert.True(File.ReadAllText(original) == File.ReadAllText(copy), $"cp {original} {copy}");
        });
    }
}
