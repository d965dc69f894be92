using Cluster.Worker.Engine;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Grpc;
using Cluster.Worker.Serving.Tls;
using Cluster.Worker.Tests.Engine;
using Cluster.Worker.Tests.Serving.Http;
using Cluster.Worker.Tests.Serving.Tls;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Worker.Tests.Serving;

/// <summary>Somebody sets the clock by an hour while requests run.</summary>
public sealed class ClockJumpTests
{
    private readonly ManualTime _steady = new();
    private readonly JumpingTime _time;

    public ClockJumpTests() => _time = new JumpingTime(_steady);

    public static TheoryData<int> Hours => [-1, 1];

    [Theory, MemberData(nameof(Hours))]
    public async Task A_requests_timeout_is_as_long_as_before(int hours)
    {
        var held = new TaskCompletionSource();
        var engine = new FakeEngine
        {
            BeforeOutput = (made, stop) =>
            {
                if (made < 2)
                {
                    return Task.CompletedTask;
                }

                held.TrySetResult();
                return Task.Delay(Timeout.Infinite, stop);
            },
        };
        await using var server = await HttpTestServer.StartAsync(engine, time: _time);
        server.Client.DefaultRequestHeaders.Add("X-Request-Timeout", "5");

        var answering = server.PostAsync("/v1/completions", """{"prompt": "hello"}""");
        await held.Task;
        _time.Jump(TimeSpan.FromHours(hours));
        _steady.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(answering.IsCompleted);
        _steady.Advance(TimeSpan.FromSeconds(0.1));

        var (status, body) = await answering;
        Assert.Equal((504, "deadline_exceeded"), (status, (string?)body["error"]!["code"]));
    }

    [Theory, MemberData(nameof(Hours))]
    public void A_calls_deadline_is_as_far_off_as_before(int hours)
    {
        var context = new DefaultHttpContext();
        using var deadline = new CallDeadline(context, TimeSpan.FromSeconds(5), _time);

        _time.Jump(TimeSpan.FromHours(hours));
        _steady.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(deadline.HasPassed);
        _steady.Advance(TimeSpan.FromSeconds(0.1));
        Assert.True(deadline.HasPassed);
    }

    [Theory, MemberData(nameof(Hours))]
    public void The_time_that_the_server_is_up_goes_on(int hours)
    {
        var state = new ServingState(_time);
        _steady.Advance(TimeSpan.FromSeconds(90));
        _time.Jump(TimeSpan.FromHours(hours));
        Assert.Equal(TimeSpan.FromSeconds(90), state.Uptime);
    }

    [Theory, MemberData(nameof(Hours))]
    public void A_renewed_certificate_is_found_as_soon_as_before(int hours)
    {
        using var folder = new CertificateFolder("one");
        using var certificate = new ReloadingCertificate(folder.Files, _time, NullLogger.Instance);
        _time.Jump(TimeSpan.FromHours(hours));
        folder.Renew("two");
        _steady.Advance(ReloadingCertificate.PollInterval);
        Assert.Equal("CN=two", certificate.Current.TargetCertificate.Subject);
    }

    /// <summary>Begin and end of a span come from one look at the wall clock, so its length is right and its end never before its
    /// beginning.</summary>
    [Theory, MemberData(nameof(Hours))]
    public async Task A_requests_times_are_measured_not_told_by_the_clock(int hours)
    {
        var began = _time.GetUtcNow();
        var runner = TestEngines.Runner();
        runner.OnLaunch = _ =>
        {
            _steady.Advance(TimeSpan.FromSeconds(1));
            _time.Jump(TimeSpan.FromHours(hours));
        };
        var observer = new RecordingObserver();
        await using (var engine = new LlmEngine(runner, new ByteTokenizer(), new EngineOptions(), _time, observer: observer))
        {
            await TestEngines.RunAsync(engine, TestEngines.Greedy);
        }

        var ended = Assert.Single(observer.Requests);
        Assert.Equal(began, ended.Arrival);
        Assert.InRange(ended.End, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(20));
        Assert.InRange(ended.FirstToken!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));
    }
}
