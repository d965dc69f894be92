using System.Text.Json.Nodes;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>How a runner turns a container into a program: resolved anew at every start, since secrets may have changed.</summary>
internal delegate (ContainerSpec Spec, string Program, IReadOnlyList<string> Arguments) ContainerResolver();

/// <summary>
/// Keeps one container running: start, probe, restart with backoff. Called by <see cref="PodRunner"/>, which publishes
/// <see cref="Status"/>.
/// <code>
/// resolve → start → [startup probe] → readiness + liveness probes … exit → backoff → resolve …
/// </code>
/// </summary>
internal sealed class ContainerRunner(
    string name,
    string image,
    string podIP,
    string restartPolicy,
    ContainerResolver resolve,
    Prober prober,
    TimeProvider time,
    Action changed,
    Action<string, string, string> record)
{
    // The kubelet starts at 10 s and ends at 5 min; a person at a terminal waits less patiently.
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastBackoff = TimeSpan.FromSeconds(60);

    /// <summary>A container that ran this long before it failed starts over with the first backoff.</summary>
    private static readonly TimeSpan HealthyRun = TimeSpan.FromMinutes(10);

    private const int TerminationMessageLines = 10;

    private readonly Lock _gate = new();
    private JsonObject _state = Waiting("ContainerCreating", null);
    private JsonObject? _lastState;
    private bool _ready;
    private bool _started;
    private int _restarts;
    private ContainerProcess? _process;

    public string Name => name;

    /// <summary>Output of the current run, or of the last when none is running.</summary>
    public ContainerLog? Log { get; private set; }

    /// <summary>Output of the run before.</summary>
    public ContainerLog? PreviousLog { get; private set; }

    public bool IsReady
    {
        get
        {
            lock (_gate)
            {
                return _ready;
            }
        }
    }

    /// <summary>The process that runs now; null between two.</summary>
    public ContainerProcess? Running
    {
        get
        {
            lock (_gate)
            {
                return _process;
            }
        }
    }

    /// <summary>What the container would be started as now.</summary>
    /// <exception cref="PodConfigurationException">It could not be.</exception>
    public ContainerSpec Resolve() => resolve().Spec;

    /// <summary>Ended for good with this exit code; null while running or waiting to run.</summary>
    public int? FinalExitCode { get; private set; }

    /// <summary>The container's entry of <c>status.containerStatuses</c>.</summary>
    public JsonObject Status
    {
        get
        {
            lock (_gate)
            {
                var status = new JsonObject
                {
                    ["name"] = name,
                    ["image"] = image,
                    ["imageID"] = "",
                    ["ready"] = _ready,
                    ["started"] = _started,
                    ["restartCount"] = _restarts,
                    ["state"] = _state.DeepClone(),
                };
                if (_process is { } running)
                {
                    status["containerID"] = $"process://{running.Id}";
                }

                if (_lastState is not null)
                {
                    status["lastState"] = _lastState.DeepClone();
                }

                return status;
            }
        }
    }

    /// <summary>Runs until the restart policy says stop or the token is cancelled; then the process is stopped within
    /// <paramref name="grace"/>.</summary>
    public async Task RunAsync(Func<TimeSpan> grace, CancellationToken cancellationToken)
    {
        var failures = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            var exitCode = -1;
            try
            {
                exitCode = await RunOnceAsync(grace, cancellationToken);
                if (restartPolicy == "Never" || restartPolicy == "OnFailure" && exitCode == 0)
                {
                    break;
                }
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // Whatever is wrong with this container stays its own affair: it waits, says why, and is tried again.
                Update(
                    () => _state = Waiting((exception as PodConfigurationException)?.Reason ?? "CreateContainerError", exception.Message));
                record("Warning", "Failed", exception.Message);
            }

            if (cancellationToken.IsCancellationRequested)
            {
                break;
            }

            var ranLong = LastRun > HealthyRun;
            failures = ranLong ? 1 : failures + 1;
            var backoff = failures == 1 && exitCode >= 0
                ? TimeSpan.Zero
                : TimeSpan.FromSeconds(
                    Math.Min(LastBackoff.TotalSeconds, FirstBackoff.TotalSeconds * Math.Pow(2, Math.Min(failures - 1, 10))));
            if (exitCode >= 0 && backoff > TimeSpan.Zero)
            {
                Update(
                    () => _state = Waiting("CrashLoopBackOff", $"back-off {backoff.TotalSeconds:0} s restarting failed container {name}"));
                record("Warning", "BackOff", $"Back-off restarting failed container {name}");
            }

            try
            {
                await Task.Delay(backoff, time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }
    }

    private TimeSpan LastRun { get; set; }

    private async Task<int> RunOnceAsync(Func<TimeSpan> grace, CancellationToken cancellationToken)
    {
        var (spec, program, arguments) = resolve();
        var log = new ContainerLog(time);
        var started = time.GetTimestamp();
        var child = ContainerProcess.Start(program, arguments, spec, log, time);
        await using var _ = child;
        Update(() =>
        {
            if (Log is not null)
            {
                _restarts++;
                PreviousLog = Log;
            }

            Log = log;
            _process = child;
            _started = spec.Startup is null;
            _state = new JsonObject { ["running"] = new JsonObject { ["startedAt"] = Timestamp(child.StartedAt) } };
        });
        record("Normal", "Started", $"Started container {name} as process {child.Id}");

        using var stopProbes = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var unhealthy = ProbeAsync(spec, stopProbes.Token);
        var exit = child.WaitAsync(CancellationToken.None);
        await Task.WhenAny(exit, unhealthy);
        if (!exit.IsCompleted)
        {
            // Not ready from the moment it is told to stop: nothing should be sent here any more.
            Update(() => _ready = false);
            record("Normal", "Killing", $"Stopping container {name}");
            await child.StopAsync(grace());
        }

        var exitCode = await exit;
        await stopProbes.CancelAsync();
        await unhealthy;
        log.End();
        LastRun = time.GetElapsedTime(started);
        Update(() =>
        {
            _ready = false;
            _started = false;
            _process = null;
            _state = Terminated(child.StartedAt, exitCode, log);
            _lastState = (JsonObject)_state.DeepClone();
        });
        FinalExitCode = restartPolicy == "Never"
            || cancellationToken.IsCancellationRequested
            || restartPolicy == "OnFailure" && exitCode == 0 ? exitCode : null;
        return exitCode;
    }

    /// <summary>Completes when the container must be stopped: a liveness or startup probe failed for good, or the token was
    /// cancelled.</summary>
    private async Task ProbeAsync(ContainerSpec spec, CancellationToken cancellationToken)
    {
        try
        {
            if (spec.Startup is { } startup)
            {
                if (!await PassesAsync(startup, "Startup", cancellationToken))
                {
                    return;
                }

                Update(() => _started = true);
            }

            var readiness = ReadinessAsync(spec.Readiness, cancellationToken);
            if (spec.Liveness is { } liveness)
            {
                await FailsAsync(liveness, cancellationToken);
                return;
            }

            await readiness;
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The pod is being stopped, or the process has ended.
        }
    }

    private async Task<bool> PassesAsync(ProbeSpec probe, string kind, CancellationToken cancellationToken)
    {
        await Task.Delay(probe.InitialDelay, time, cancellationToken);
        for (var failures = 0; ;)
        {
            if (await prober.FailureAsync(probe, podIP, cancellationToken) is not { } failure)
            {
                return true;
            }

            if (++failures >= probe.FailureThreshold)
            {
                record("Warning", "Unhealthy", $"{kind} probe failed: {failure}");
                return false;
            }

            await Task.Delay(probe.Period, time, cancellationToken);
        }
    }

    private async Task FailsAsync(ProbeSpec probe, CancellationToken cancellationToken)
    {
        await Task.Delay(probe.InitialDelay, time, cancellationToken);
        for (var failures = 0; ;)
        {
            var failure = await prober.FailureAsync(probe, podIP, cancellationToken);
            failures = failure is null ? 0 : failures + 1;
            if (failures >= probe.FailureThreshold)
            {
                record("Warning", "Unhealthy", $"Liveness probe failed: {failure}");
                return;
            }

            await Task.Delay(probe.Period, time, cancellationToken);
        }
    }

    private async Task ReadinessAsync(ProbeSpec? probe, CancellationToken cancellationToken)
    {
        if (probe is null)
        {
            Update(() => _ready = true);
            return;
        }

        await Task.Delay(probe.InitialDelay, time, cancellationToken);
        var (successes, failures) = (0, 0);
        while (true)
        {
            var failure = await prober.FailureAsync(probe, podIP, cancellationToken);
            (successes, failures) = failure is null ? (successes + 1, 0) : (0, failures + 1);
            if (successes >= probe.SuccessThreshold && !IsReady)
            {
                Update(() => _ready = true);
            }
            else if (failures >= probe.FailureThreshold && IsReady)
            {
                Update(() => _ready = false);
                record("Warning", "Unhealthy", $"Readiness probe failed: {failure}");
            }

            await Task.Delay(probe.Period, time, cancellationToken);
        }
    }

    private void Update(Action change)
    {
        lock (_gate)
        {
            change();
        }

        changed();
    }

    private JsonObject Terminated(DateTimeOffset startedAt, int exitCode, ContainerLog log)
    {
        var terminated = new JsonObject
        {
            ["exitCode"] = exitCode,
            ["reason"] = exitCode == 0 ? "Completed" : "Error",
            ["startedAt"] = Timestamp(startedAt),
            ["finishedAt"] = Timestamp(time.GetUtcNow()),
        };
        if (exitCode != 0)
        {
            // terminationMessagePolicy FallbackToLogsOnError: the last words of a container that died.
            terminated["message"] = log.Tail(TerminationMessageLines);
        }

        return new JsonObject { ["terminated"] = terminated };
    }

    private static JsonObject Waiting(string reason, string? message)
    {
        var waiting = new JsonObject { ["reason"] = reason };
        if (message is not null)
        {
            waiting["message"] = message;
        }

        return new JsonObject { ["waiting"] = waiting };
    }

    private static string Timestamp(DateTimeOffset moment) =>
        moment.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
