using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Cases follow "Update API Objects in Place Using kubectl patch" of the Kubernetes documentation.</summary>
public sealed class TemplateMergeTests
{
    [Theory]
    [InlineData("""{"a":1,"b":{"c":2}}""", """{"b":{"d":3}}""", """{"a":1,"b":{"c":2,"d":3}}""")]
    [InlineData("""{"a":1,"b":2}""", """{"b":null}""", """{"a":1}""")]
    [InlineData("""{}""", """{"a":{"b":null,"c":1}}""", """{"a":{"c":1}}""")]
    [InlineData("""{"args":["x","y"]}""", """{"args":["z"]}""", """{"args":["z"]}""")]
    [InlineData("""{"tolerations":[{"key":"a"}]}""", """{"tolerations":[{"key":"b"}]}""", """{"tolerations":[{"key":"b"}]}""")]
    [InlineData(
        """{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}""",
        """{"env":[{"name":"B","value":"3"},{"name":"C","value":"4"}]}""",
        """{"env":[{"name":"A","value":"1"},{"name":"B","value":"3"},{"name":"C","value":"4"}]}""")]
    [InlineData(
        """{"env":[{"name":"A","value":"1"},{"name":"B"}]}""", """{"env":[{"name":"A","$patch":"delete"}]}""",
        """{"env":[{"name":"B"}]}""")]
    [InlineData(
        """{"env":[{"name":"A","value":"1"}]}""", """{"env":[{"name":"A","value":null,"valueFrom":{"x":1}}]}""",
        """{"env":[{"name":"A","valueFrom":{"x":1}}]}""")]
    [InlineData("""{"env":[{"name":"A"}]}""", """{"env":[{"$patch":"replace"},{"name":"B"}]}""", """{"env":[{"name":"B"}]}""")]
    [InlineData(
        """{"ports":[{"containerPort":1,"name":"x"}]}""", """{"ports":[{"containerPort":1,"hostPort":9},{"containerPort":2}]}""",
        """{"ports":[{"containerPort":1,"name":"x","hostPort":9},{"containerPort":2}]}""")]
    [InlineData(
        """{"volumeMounts":[{"mountPath":"/a","name":"x"}]}""", """{"volumeMounts":[{"mountPath":"/b","name":"x"}]}""",
        """{"volumeMounts":[{"mountPath":"/a","name":"x"},{"mountPath":"/b","name":"x"}]}""")]
    [InlineData("""{"spec":{"a":1}}""", """{"spec":{"$patch":"replace","b":2}}""", """{"spec":{"b":2}}""")]
    [InlineData(
        """{"volumes":[{"name":"v","emptyDir":{}}]}""",
        """{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/x"}}]}""",
        """{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}""")]
    [InlineData("""{"finalizers":["a"]}""", """{"finalizers":["b","a"]}""", """{"finalizers":["a","b"]}""")]
    [InlineData("""{"finalizers":["a","b"]}""", """{"$deleteFromPrimitiveList/finalizers":["a"]}""", """{"finalizers":["b"]}""")]
    [InlineData(
        """{"preStop":{"sleep":{"seconds":5}}}""", """{"preStop":{"exec":{"command":["x"]}}}""",
        """{"preStop":{"exec":{"command":["x"]}}}""")]
    [InlineData(
        """{"livenessProbe":{"httpGet":{"path":"/health"},"periodSeconds":10}}""", """{"livenessProbe":{"grpc":{"port":1}}}""",
        """{"livenessProbe":{"periodSeconds":10,"grpc":{"port":1}}}""")]
    [InlineData(
        """{"livenessProbe":{"httpGet":{"path":"/health","port":1}}}""", """{"livenessProbe":{"httpGet":{"port":2}}}""",
        """{"livenessProbe":{"httpGet":{"path":"/health","port":2}}}""")]
    [InlineData(
        """{"volumes":[{"name":"model","hostPath":{"path":"/x"}}]}""", """{"volumes":[{"name":"model","emptyDir":{}}]}""",
        """{"volumes":[{"name":"model","emptyDir":{}}]}""")]
    [InlineData(
        """{"env":[{"name":"A","value":"1"}]}""", """{"env":[{"name":"A","valueFrom":{"x":1}}]}""",
        """{"env":[{"name":"A","valueFrom":{"x":1}}]}""")]
    [InlineData(
        """{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s"}}}]}""", """{"env":[{"name":"A","value":""}]}""",
        """{"env":[{"name":"A","value":""}]}""")]
    [InlineData(
        """{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s"}}}]}""",
        """{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"p"}}}]}""",
        """{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"p"}}}]}""")]
    [InlineData("""{"env":[{"name":"A","value":"1"}]}""", """{"env":[{"name":"A"}]}""", """{"env":[{"name":"A","value":"1"}]}""")]
    public void Merges_like_kubectl(string original, string patch, string expected)
    {
        var before = Parse(original);
        Assert.Equal(Parse(expected).ToJsonString(), TemplateMerge.Apply(before, Parse(patch)).ToJsonString());
        Assert.Equal(Parse(original).ToJsonString(), before.ToJsonString());
    }

    [Theory]
    [InlineData("""{"env":[{"value":"x"}]}""", "has no 'name'")]
    [InlineData("""{"a":{"$patch":"destroy"}}""", "a.$patch: 'destroy'")]
    [InlineData("""{"$setElementOrder/env":[]}""", "unknown directive")]
    public void Says_what_is_wrong_with_a_patch(string patch, string message) =>
        Assert.Contains(
            message, Assert.Throws<FormatException>(() => TemplateMerge.Apply([], Parse(patch))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_patch_nested_too_deeply_is_refused()
    {
        JsonObject patch = [];
        for (var i = 0; i < 100; i++)
        {
            patch = new JsonObject { ["a"] = patch };
        }

        Assert.Throws<FormatException>(() => TemplateMerge.Apply([], patch));
    }

    private static JsonObject Parse(string json) => JsonNode.Parse(json)!.AsObject();
}
