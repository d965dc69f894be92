using System.Text.Json.Nodes;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Controller;

public sealed class EventRecorderTests
{
    private static readonly V1Pod About = new() { Metadata = new V1ObjectMeta { Name = "p", NamespaceProperty = "ns", Uid = "u" } };
    private readonly FakeKubernetesClient _server = new();
    private readonly ManualTime _time = new();
    private readonly EventRecorder _events;

    public EventRecorderTests() => _events = new EventRecorder(_server, "tester", _time, new Random(1), NullLogger.Instance);

    [Fact]
    public async Task An_event_names_its_object_its_source_and_its_time()
    {
        await Record("Started", "it started");
        var made = Assert.Single(Events());
        Assert.Equal("Pod", made["involvedObject"]!["kind"]!.ToString());
        Assert.Equal("u", made["involvedObject"]!["uid"]!.ToString());
        Assert.Equal("tester", made["source"]!["component"]!.ToString());
        Assert.Equal("2026-01-01T00:00:00Z", made["firstTimestamp"]!.ToString());
        Assert.Equal("Warning", made["type"]!.ToString());
        Assert.Equal("it started", made["message"]!.ToString());
    }

    [Fact]
    public async Task The_same_event_again_counts_up()
    {
        await Record("Failed", "no luck");
        _time.Advance(TimeSpan.FromMinutes(5));
        await Record("Failed", "no luck");
        await Record("Failed", "no luck");
        var made = Assert.Single(Events());
        Assert.Equal(3, made["count"]!.GetValue<int>());
        Assert.Equal("2026-01-01T00:05:00Z", made["lastTimestamp"]!.ToString());
    }

    [Fact]
    public async Task After_an_hour_of_silence_it_is_a_new_event()
    {
        await Record("Failed", "no luck");
        _time.Advance(TimeSpan.FromMinutes(61));
        await Record("Failed", "no luck");
        Assert.Equal([1, 1], Events().Select(e => e["count"]!.GetValue<int>()));
    }

    [Fact]
    public async Task An_event_the_server_has_expired_is_made_again()
    {
        await Record("Failed", "no luck");
        _server.Remove<Corev1Event>("ns", Events()[0]["metadata"]!["name"]!.ToString());
        await Record("Failed", "no luck");
        Assert.Equal(1, Assert.Single(Events())["count"]!.GetValue<int>());
    }

    [Fact]
    public async Task Ever_different_messages_are_folded_into_one()
    {
        for (var i = 0; i < 50; i++)
        {
            await Record("Failed", $"try {i}");
        }

        Assert.Equal(11, Events().Count);
        var combined = Assert.Single(Events(), e => e["message"]!.ToString().StartsWith("(combined", StringComparison.Ordinal));
        Assert.Equal(40, combined["count"]!.GetValue<int>());
    }

    [Fact]
    public async Task A_server_that_refuses_events_is_not_an_error_for_the_caller()
    {
        _server.BeforeCall = (_, _, _) => throw new KubernetesException(403, "Forbidden", "no");
        await Record("Failed", "no luck");
        _server.BeforeCall = null;
        await Record("Failed", "no luck");
        Assert.Single(Events());
    }

    private Task Record(string reason, string message) =>
        _events.RecordAsync(About, EventType.Warning, reason, message, CancellationToken.None);

    private List<JsonObject> Events() => [.. _server.All<Corev1Event>().Select(e => _server.Find<Corev1Event>("ns", e.Metadata.Name)!)];
}
