using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class PodRequirementsTests
{
    [Theory]
    [InlineData("""{}""", null)]
    [InlineData("""{"nodeSelector":{"zone":"x"}}""", null)]
    [InlineData("""{"nodeSelector":{"zone":"y"}}""", "no label zone=y")]
    [InlineData("""{"nodeSelector":{"rack":"1"}}""", "no label rack=1")]
    public void A_node_selector_must_match(string spec, string? refusal) => Assert.Equal(refusal, Refusal(spec));

    [Theory]
    [InlineData("""{}""", "taint gpu=amd:NoSchedule")]
    [InlineData("""{"tolerations":[{"operator":"Exists"}]}""", null)]
    [InlineData("""{"tolerations":[{"key":"gpu","operator":"Exists"}]}""", null)]
    [InlineData("""{"tolerations":[{"key":"gpu","operator":"Equal","value":"amd","effect":"NoSchedule"}]}""", null)]
    [InlineData("""{"tolerations":[{"key":"gpu","value":"amd"}]}""", null)]
    [InlineData("""{"tolerations":[{"key":"gpu","value":"other"}]}""", "taint gpu=amd:NoSchedule")]
    [InlineData("""{"tolerations":[{"key":"gpu","operator":"Exists","effect":"NoExecute"}]}""", "taint gpu=amd:NoSchedule")]
    [InlineData("""{"tolerations":[{"key":"other","operator":"Exists"}]}""", "taint gpu=amd:NoSchedule")]
    public void A_taint_must_be_tolerated(string spec, string? refusal) =>
        Assert.Equal(refusal, Refusal(spec, n => n.Spec.Taints = [new V1Taint { Key = "gpu", Value = "amd", Effect = "NoSchedule" }]));

    [Fact]
    public void A_preference_against_a_node_refuses_nothing() =>
        Assert.Null(Refusal("{}", n => n.Spec.Taints = [new V1Taint { Key = "gpu", Effect = "PreferNoSchedule" }]));

    [Theory]
    [InlineData("""{"key":"zone","operator":"In","values":["x","z"]}""", true)]
    [InlineData("""{"key":"zone","operator":"In","values":["y"]}""", false)]
    [InlineData("""{"key":"zone","operator":"NotIn","values":["y"]}""", true)]
    [InlineData("""{"key":"zone","operator":"NotIn","values":["x"]}""", false)]
    [InlineData("""{"key":"rack","operator":"NotIn","values":["x"]}""", true)]
    [InlineData("""{"key":"zone","operator":"Exists"}""", true)]
    [InlineData("""{"key":"rack","operator":"Exists"}""", false)]
    [InlineData("""{"key":"rack","operator":"DoesNotExist"}""", true)]
    [InlineData("""{"key":"size","operator":"Gt","values":["4"]}""", true)]
    [InlineData("""{"key":"size","operator":"Gt","values":["5"]}""", false)]
    [InlineData("""{"key":"size","operator":"Lt","values":["6"]}""", true)]
    [InlineData("""{"key":"zone","operator":"Lt","values":["6"]}""", false)]
    public void Required_affinity_is_judged_as_the_scheduler_does(string expression, bool fits) =>
        Assert.Equal(fits ? null : "node affinity does not match", Refusal(Affinity("{\"matchExpressions\":[" + expression + "]}")));

    [Fact]
    public void Affinity_terms_are_alternatives()
    {
        Assert.Null(
            Refusal(
                Affinity(
                    """{"matchExpressions":[{"key":"zone","operator":"In","values":["y"]}]},{"matchFields":[{"key":"metadata.name","operator":"In","values":["n1"]}]}""")));
        Assert.NotNull(Refusal(Affinity("{}")));
    }

    [Fact]
    public void A_malformed_field_is_the_users_to_mend() =>
        Assert.Throws<InvalidModelDeploymentException>(() => PodRequirements.Of(JsonNode.Parse("""{"tolerations":"all"}""")!.AsObject()));

    private static string Affinity(string terms) =>
        """{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[""" + terms + "]}}}}";

    [Theory]
    [InlineData("[]", 300.0)]
    [InlineData("""[{"key":"other","operator":"Exists"}]""", 300.0)]
    [InlineData("""[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":20}]""", 20.0)]
    [InlineData("""[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute"}]""", null)]
    [InlineData("""[{"operator":"Exists"}]""", null)]
    [InlineData(
        """[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":9223372036854775807}]""",
        null)]
    public void A_lost_node_is_waited_for_as_long_as_the_pod_tolerates_it(string tolerations, double? seconds) =>
        Assert.Equal(
            seconds, PodRequirements.Of(new JsonObject { ["tolerations"] = JsonNode.Parse(tolerations) }).NodeLossTolerance?.TotalSeconds);

    private static string? Refusal(string spec, Action<V1Node>? change = null)
    {
        var node = Given.Node("n1", change: n =>
        {
            n.Metadata.Labels = new Dictionary<string, string> { ["zone"] = "x", ["size"] = "5" };
            change?.Invoke(n);
        });
        return PodRequirements.Of(JsonNode.Parse(spec)!.AsObject()).Refusal(node);
    }
}
