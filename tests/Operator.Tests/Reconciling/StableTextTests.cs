using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>What of an error's text is left out of conditions because it is another one each time.</summary>
public sealed class StableTextTests
{
    [Theory]
    [InlineData("pods \"llm-bcdfg\" is forbidden: no llm-bcdfg here", "pods \"llm-*\" is forbidden: no llm-* here")]
    [InlineData("read tcp 10.0.0.7:51234->10.96.0.1:443: reset", "read tcp *:443: reset")]
    [InlineData("read tcp [fd00::7]:51234->[fd00::1]:443: reset", "read tcp *:443: reset")]
    [InlineData("dial tcp 10.244.1.5:8443: connect: connection refused", "dial tcp *:8443: connect: connection refused")]
    [InlineData("lookup hub: read udp 10.244.1.5:4321->10.96.0.10:53: i/o timeout", "lookup hub: read udp *:53: i/o timeout")]
    [InlineData("request 1B4E28BA-2fa1-11d2-883f-0016d3cca427 denied", "request * denied")]
    [InlineData("sandbox \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\": no network", "sandbox \"*\": no network")]
    [InlineData("current time 2026-11-30T08:10:50Z is after it", "current time * is after it")]
    [InlineData("at 2026-11-30 08:10:50.123456789 +0000 UTC m=+12.3456 nobody answered", "at * nobody answered")]
    [InlineData("resourceVersion: \"12345\" is stale", "resourceVersion: \"*\" is stale")]
    [InlineData("resource version 12345 is stale", "resource version * is stale")]
    [InlineData("no answer after 10.001234s", "no answer after *s")]
    [InlineData("no answer after 1m10.001234s", "no answer after *s")]
    public void Chance_is_left_out(string message, string stable) =>
        Assert.Equal(stable, StableText.Of(message, ["llm-bcdfg"]));

    [Theory]
    [InlineData("exceeded quota: q, requested: pods=1, used: pods=10, limited: pods=10")]
    [InlineData("maximum memory usage per Container is 1.5Gi, but limit is 2147483648")]
    [InlineData("image registry.example:5000/worker@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef not found")]
    [InlineData("no complete answer within 60 s")]
    [InlineData("violates PodSecurity \"restricted:v1.36\"")]
    [InlineData("volume 10.0.0.9:/models cannot be mounted")]
    public void What_a_person_needs_stays(string message) => Assert.Equal(message, StableText.Of(message, []));

    [Theory]
    [InlineData("forbidden: [a is 1, but b, c is 2]", "forbidden: [c is 2, a is 1, but b]", true)]
    [InlineData("rule x failed\nrule y failed", "rule y failed\nrule x failed", true)]
    [InlineData("used: pods=1", "used: pods=2", false)]
    [InlineData("a a b", "a b", false)]
    public void The_order_of_objections_says_nothing(string one, string other, bool same) =>
        Assert.Equal(same, SameWords.KeyOf(one) == SameWords.KeyOf(other));
}
