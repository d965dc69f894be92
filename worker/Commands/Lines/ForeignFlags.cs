namespace Cluster.Worker.Commands.Lines;

/// <summary>The options of vLLM and TGI's launcher that are no options of ours: other names, what changes nothing here, and what is refused
/// with what to use instead. An option that a command has by such a name counts before the row. Asked by
/// <see cref="OptionNames"/>.</summary>
internal static class ForeignFlags
{
    private const string NoLora = "adapters (LoRA) are not loaded: merge the adapter into the checkpoint";
    private const string NoMedia = "models here read text only; leave it out";
    private const string OneMachine = "a replica is on one machine: use --tensor-parallel-size, and more replicas (spec.replicas) for load";
    private const string OwnTokenizer = "the tokenizer is the one in the model's folder; leave it out";
    private const string OwnConfig = "it is read from the model's folder: write it into config.json there";

    /// <summary>Rows of every command that loads a model.</summary>
    private static readonly IReadOnlyList<ForeignFlag> Engine =
    [
        // First what is more than another name.
        .. BenchmarkFlags.Speculation,
        .. LauncherFlags.Special,
        .. WorkerFlags.All.Where(flag => flag.OtherNames.Count > 0).Select(flag => ForeignFlag.Means(flag.Name, [.. flag.OtherNames])),
        ForeignFlag.Means("--cpu-kvcache-space", "--kv-cache-space"),

        // What this worker does anyway, by the names of those who could do otherwise.
        ForeignFlag.Only(
            "mp|uni", "ranks are processes of this machine; Ray is not used", "--distributed-executor-backend"),
        ForeignFlag.Only("1", OneMachine, "--pipeline-parallel-size", "-pp", "--nnodes", "-n", "--decode-context-parallel-size", "-dcp"),
        ForeignFlag.Only("1", OneMachine, "--data-parallel-size", "-dp", "--data-parallel-size-local", "-dpl"),
        ForeignFlag.Only("0", OneMachine, "--node-rank", "-r", "--data-parallel-rank", "-dpn"),
        ForeignFlag.Only("auto|safetensors", "weights are read from safetensors", "--load-format"),
        ForeignFlag.Only("auto|hf", "config.json is read as Hugging Face's", "--config-format"),
        ForeignFlag.Only("auto|slow|fast", OwnTokenizer, "--tokenizer-mode"),
        ForeignFlag.Only("auto|generate", "models here generate text", "--task", "--runner", "--convert"),
        ForeignFlag.Only("auto|vllm", "models are implemented here", "--model-impl"),
        ForeignFlag.Only("0", "weights stay where they are computed with; use --quantization or more ranks", "--cpu-offload-gb"),
        ForeignFlag.Only("recompute", "a preempted sequence is computed again, never swapped", "--preemption-mode"),
        ForeignFlag.Only(
            "rejection_sampler", "drafts are checked exactly; outputs are those without drafts", "--spec-decoding-acceptance-method"),
        ForeignFlag.Only("1", "a draft model runs on rank 0", "--speculative-draft-tensor-parallel-size", "-spec-draft-tp"),
        ForeignFlag.Only("1", "one long prompt is split at a time", "--max-num-partial-prefills", "--max-long-partial-prefills"),
        ForeignFlag.Only("raw_logprobs", "log-probabilities are those of the model, before temperature", "--logprobs-mode"),

        // What changes nothing.
        ForeignFlag.Inert(ForeignValue.Switch, "code of a checkpoint is never run; architectures are built in", "--trust-remote-code"),
        ForeignFlag.Inert(ForeignValue.Switch, "there is one way to write log statistics: /metrics", "--disable-log-stats"),
        ForeignFlag.Inert(
            ForeignValue.Switch, "requests are logged at CLUSTER_LOG_LEVEL=Debug only", "--disable-log-requests", "--enable-log-requests",
            "--enable-log-outputs", "--enable-log-deltas"),
        ForeignFlag.Inert(ForeignValue.One, "prompts are never logged", "--max-log-len"),
        ForeignFlag.Inert(
            ForeignValue.Switch, "there is one scheduler, and it plans ahead", "--use-v2-block-manager", "--async-scheduling",
            "--disable-async-output-proc", "--disable-hybrid-kv-cache-manager", "--multi-step-stream-outputs"),
        ForeignFlag.Inert(ForeignValue.One, "it is chosen by the plan of each step", "--num-lookahead-slots", "--scheduler-delay-factor"),
        ForeignFlag.Inert(ForeignValue.One, "a preempted sequence is computed again, so nothing is swapped", "--swap-space"),
        ForeignFlag.Inert(
            ForeignValue.Switch, "ranks add up in one fixed order, so that all of them hold the same bits", "--disable-custom-all-reduce"),
        ForeignFlag.Inert(ForeignValue.Switch, "ranks are processes; Ray is not used", "--worker-use-ray", "--engine-use-ray"),
        ForeignFlag.Inert(ForeignValue.One, "files are mapped and read as they are needed", "--max-parallel-loading-workers"),
        ForeignFlag.Inert(
            ForeignValue.One, "kernels are compiled once and kept; no graph is captured", "--compilation-config", "-cc",
            "--cuda-graph-sizes", "--optimization-level", "--attention-backend"),
        ForeignFlag.Inert(ForeignValue.None, "kernels are compiled once and kept; no graph is captured", "-O0", "-O1", "-O2", "-O3"),
        ForeignFlag.Inert(
            ForeignValue.One, "there is one implementation of structured output", "--guided-decoding-backend",
            "--structured-outputs-config"),
        ForeignFlag.Inert(ForeignValue.Switch, "beams need no permission", "--disable-logprobs-during-spec-decoding"),

        // What this build cannot do.
        ForeignFlag.Refused(ForeignValue.One, OwnTokenizer, "--tokenizer", "--tokenizer-revision"),
        ForeignFlag.Refused(ForeignValue.Switch, "text is needed to serve; use gRPC with token ids instead", "--skip-tokenizer-init"),
        ForeignFlag.Refused(
            ForeignValue.One, OwnConfig, "--rope-scaling", "--rope-theta", "--rope-factor", "--hf-overrides", "--hf-config-path",
            "--code-revision"),
        ForeignFlag.Refused(ForeignValue.Switch, NoLora, "--enable-lora", "--enable-prompt-adapter"),
        ForeignFlag.Refused(
            ForeignValue.One, NoLora, "--lora-adapters", "--max-loras", "--max-lora-rank", "--max-cpu-loras", "--lora-dtype"),
        ForeignFlag.Refused(ForeignValue.List, NoLora, "--lora-modules", "--prompt-adapters"),
        ForeignFlag.Refused(
            ForeignValue.One, NoMedia, "--limit-mm-per-prompt", "--mm-processor-kwargs", "--media-io-kwargs", "--allowed-local-media-path",
            "--mm-encoder-tp-mode"),
        ForeignFlag.Refused(ForeignValue.Switch, OneMachine, "--enable-expert-parallel", "-ep", "--data-parallel-hybrid-lb"),
        ForeignFlag.Refused(ForeignValue.One, "KV caches are not passed between replicas; leave it out", "--kv-transfer-config"),
        ForeignFlag.Refused(ForeignValue.One, "use --cpu-kvcache-space GIB on the CPU, else --gpu-memory-utilization",
            "--kv-cache-memory-bytes"),
        ForeignFlag.Refused(ForeignValue.One, "send logit_bias, structured_outputs or penalties with a request",
            "--logits-processors", "--logits-processor-pattern"),
        ForeignFlag.Refused(
            ForeignValue.Switch, "send SIGTERM to release the GPU; a worker starts again in seconds", "--enable-sleep-mode"),
    ];

    /// <summary>Rows of <c>serve</c> alone.</summary>
    private static readonly IReadOnlyList<ForeignFlag> Serving =
    [
        .. LauncherFlags.All,
        ForeignFlag.Means("--allowed-origins", "--cors-allow-origin"),
        ForeignFlag.Only("assistant", "answers have OpenAI's role", "--response-role"),
        ForeignFlag.Only("auto|string|openai", "templates get texts", "--chat-template-content-format"),
        ForeignFlag.Only("1", "one process serves; start more replicas", "--api-server-count", "-asc"),
        ForeignFlag.Only("0", "callers' certificates are not asked for; use --api-key-file", "--ssl-cert-reqs"),
        ForeignFlag.Inert(ForeignValue.One, "CLUSTER_LOG_LEVEL sets the level", "--uvicorn-log-level"),
        ForeignFlag.Inert(ForeignValue.Switch, "requests are logged at CLUSTER_LOG_LEVEL=Debug only", "--disable-uvicorn-access-log"),
        ForeignFlag.Inert(ForeignValue.Switch, "the server and the engine are one process", "--disable-frontend-multiprocessing"),
        ForeignFlag.Inert(ForeignValue.Switch, "/version and this command line tell nothing to others", "--disable-fastapi-docs"),
        ForeignFlag.Inert(ForeignValue.Switch, "certificates are always read again when they change", "--enable-ssl-refresh"),
        ForeignFlag.Inert(ForeignValue.Switch, "X-Request-Id always comes back", "--enable-request-id-headers"),
        ForeignFlag.Refused(ForeignValue.One, "callers' certificates are not checked; use --api-key-file", "--ssl-ca-certs"),
        ForeignFlag.Refused(ForeignValue.One, "paths begin at /; let a proxy take the prefix off", "--root-path"),
        ForeignFlag.Refused(ForeignValue.One, "use --host and --port", "--uds"),
        ForeignFlag.Refused(ForeignValue.One, "there are no plug-ins in Python; a proxy can stand in front", "--middleware",
            "--tool-parser-plugin"),
        ForeignFlag.Refused(ForeignValue.Switch, "ask for logprobs; tokens have their text and bytes there",
            "--return-tokens-as-token-ids"),
        ForeignFlag.Refused(ForeignValue.Switch, "a replica's ranks are started by the worker itself", "--headless"),
        ForeignFlag.Refused(
            ForeignValue.One, "set OTEL_EXPORTER_OTLP_ENDPOINT", "--otlp-traces-endpoint", "--otlp-endpoint", "--otlp-service-name"),
    ];

    /// <summary>Rows of <c>run-batch</c> alone.</summary>
    private static readonly IReadOnlyList<ForeignFlag> Batches =
    [
        ForeignFlag.Only("assistant", "answers have OpenAI's role", "--response-role"),
        ForeignFlag.Inert(ForeignValue.One, "answers are added to the output file as they come", "--output-tmp-dir"),
        ForeignFlag.Inert(ForeignValue.Switch, "nothing listens: there is no port to read metrics from", "--enable-metrics"),
        ForeignFlag.Inert(ForeignValue.One, "nothing listens: there is no port to read metrics from", "--url", "--port", "--host"),
    ];

    /// <param name="path">The command, as one types it.</param>
    public static IReadOnlyList<ForeignFlag> Of(string path) => path switch
    {
        "serve" => [.. Serving, .. Engine],
        "bench latency" => [.. BenchmarkFlags.Latency, .. Engine],
        "bench throughput" => [.. BenchmarkFlags.Throughput, .. Engine],
        "bench serve" => BenchmarkFlags.Serving,
        "run-batch" => [.. Batches, .. Engine],
        "generate" => Engine,
        _ => [],
    };

    /// <summary>Every spelling of every row.</summary>
    public static IEnumerable<string> AllNames =>
        from path in (string[])["serve", "bench latency", "bench throughput", "bench serve", "run-batch"]
        from flag in Of(path)
        from name in flag.Names
        select name;
}
