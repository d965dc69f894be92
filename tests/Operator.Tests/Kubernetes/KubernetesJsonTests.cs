using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Kubernetes;

public class KubernetesJsonTests
{
    [Fact]
    public void An_object_survives_reading_and_writing_whole()
    {
        var node = JsonNode.Parse("""
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","creationTimestamp":"2026-01-31T10:00:00Z","managedFields":[{"manager":"x"}],"finalizers":["f"]},
             "spec":{"nodeName":"n","hostNetwork":true,"containers":[{"name":"worker","env":[{"name":"A","value":"<&>'é"}]}]},
             "status":{"phase":"Running","podIP":"10.0.0.1","qosClass":"Burstable","conditions":[{"type":"Ready","status":"True","lastProbeTime":"2026-01-31T10:00:06Z"}],
                       "containerStatuses":[{"name":"worker","ready":true,"restartCount":2,"state":{"running":{"startedAt":"2026-01-31T10:00:05Z"}},"image":"i","imageID":"sha256:1"}]}}
            """)!;
        Assert.True(JsonNode.DeepEquals(node, KubernetesJson.ToJsonObject(KubernetesJson.Read<V1Pod>(node))));
    }

    [Fact]
    public void What_is_read_by_known_fields_only_keeps_nothing_else()
    {
        const string Json = """
            {"kind":"Pod","metadata":{"name":"p","managedFields":[{"manager":"x"}]},"spec":{"nodeName":"n","containers":[{"name":"worker","resources":{"requests":{"cpu":"1"}}}]},
             "status":{"phase":"Running","qosClass":"Burstable","containerStatuses":[{"name":"worker","restartCount":2,"image":"i"}]}}
            """;
        Assert.Same(KubernetesJson.Options, KubernetesJson.For(new Selection("a=b")));
        var pod = JsonSerializer.Deserialize<V1Pod>(Json, KubernetesJson.For(new Selection(CachedFieldsOnly: true)))!;
        Assert.Equal(
            """{"kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"resources":{"requests":{"cpu":"1"}}}],"nodeName":"n"},"status":{"containerStatuses":[{"name":"worker","ready":false,"restartCount":2}],"phase":"Running"}}""",
            KubernetesJson.ToJsonObject(pod).ToJsonString());
    }

    [Theory]
    [InlineData("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z")]
    [InlineData("2026-01-31T10:00:00.123456Z", "2026-01-31T10:00:00Z")]
    [InlineData("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z")]
    public void Times_are_read_in_any_precision_and_written_with_seconds(string read, string written)
    {
        var meta = JsonSerializer.Deserialize<V1ObjectMeta>($$"""{"creationTimestamp":"{{read}}"}""", KubernetesJson.Options)!;
        Assert.Equal(written, (string)KubernetesJson.ToJsonObject(meta)["creationTimestamp"]!);
    }

    [Theory]
    [InlineData("\"yesterday\"")]
    [InlineData("17")]
    public void What_is_no_time_is_refused(string json)
        => Assert.Contains(
            "RFC 3339",
            Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<DateTimeOffset>(json, KubernetesJson.Options)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Nulls_are_left_out_and_text_stays_readable()
        => Assert.Equal(
            """{"type":"Ready","status":"True","message":"a < b & 'c' ü"}""",
            JsonSerializer.Serialize(new Condition { Type = "Ready", Status = "True", Message = "a < b & 'c' ü" }, KubernetesJson.Options));

    [Fact]
    public void An_enum_of_a_newer_version_reads_as_undefined_and_is_never_written()
    {
        var gpu = JsonSerializer.Deserialize<GpuSpec>("""{"allocation":"Telepathic","deviceAccess":"1"}""", KubernetesJson.Options)!;
        Assert.False(Enum.IsDefined(gpu.Allocation));
        Assert.False(Enum.IsDefined(gpu.DeviceAccess));
        Assert.Throws<JsonException>(() => KubernetesJson.ToJsonObject(gpu));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<GpuSpec>("""{"allocation":1}""", KubernetesJson.Options));
    }

    [Fact]
    public void Depth_is_bounded()
        => Assert.ThrowsAny<JsonException>(
            () => JsonSerializer.Deserialize<JsonNode>(new string('[', 200) + new string(']', 200), KubernetesJson.Options));

    [Theory]
    [InlineData("\"wor\"")]
    [InlineData("\"5Q\"")]
    [InlineData("\"\"")]
    [InlineData("\"1e999999999\"")]
    [InlineData("{}")]
    public void What_is_no_quantity_is_refused_as_such(string quantity)
    {
        var node = JsonNode.Parse($$$"""{"status": {"capacity": {"memory": {{{quantity}}} } } }""")!;

        var error = Assert.Throws<JsonException>(() => KubernetesJson.Read<V1Node>(node));

        Assert.Contains("is no quantity", error.Message, StringComparison.Ordinal);
        Assert.Contains("capacity", error.Path, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"64Gi\"", 68719476736)]
    [InlineData("\"1e3\"", 1000)]
    [InlineData("\"5000m\"", 5)]
    [InlineData("8", 8)]
    public void A_quantity_is_read_in_every_notation(string quantity, long value)
    {
        var node = JsonNode.Parse($$$"""{"status": {"capacity": {"memory": {{{quantity}}} } } }""")!;

        Assert.Equal(value, KubernetesJson.Read<V1Node>(node).Status.Capacity["memory"].ToInt64());
    }

    [Fact]
    public void A_tree_is_whole_and_the_last_of_a_repeated_name_counts()
    {
        Assert.Equal(2, (int)JsonTree.Parse("""{"a": 1, "a": 2}"""u8.ToArray())!["a"]!);
        Assert.Throws<JsonException>(() => JsonTree.Parse("""{"a": "\ud800"}"""u8.ToArray()));
    }
}
