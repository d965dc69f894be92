using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Tests.Api;

public class ModelDeploymentValidatorTests
{
    private static ModelDeployment Deployment(string specYaml, string name = "llama")
    {
        var spec = YamlJson.Parse(specYaml, "spec.yaml")!.AsObject();
        spec["model"] ??= new JsonObject { ["source"] = "file:///m" };
        JsonObject manifest = new() { ["metadata"] = new JsonObject { ["name"] = name }, ["spec"] = spec };
        return ModelDeploymentDefaults.Apply(KubernetesJson.Read<ModelDeployment>(manifest));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{model: {source: 'hf://a/b@main', servedName: x, tokenSecretRef: {name: hf, key: token}}}")]
    [InlineData(
        "{model: {source: 'file:///m', tokenSecretRef: {name: hf, key: t}}, engine: {speculative: {model: 'hf://a/b', numTokens: 3}}}")]
    [InlineData("{gpu: {allocation: DevicePlugin}}")]
    [InlineData("{gpu: {allocation: ResourceClaim}, tensorParallelSize: 4}")]
    [InlineData("{gpu: {deviceAccess: Plugin, placement: Spread, requireSameHive: false}}")]
    [InlineData("{gpu: {deviceAccess: RuntimeClass, nodeSelector: {a: b}}, podTemplate: {spec: {nodeSelector: {a: b, c: d}}}}")]
    [InlineData("{engine: {maxNumSeqs: 8, maxNumBatchedTokens: 8, extraArgs: [--seed, '7', -v, --no-color]}}")]
    [InlineData("{engine: {enableChunkedPrefill: true, maxModelLen: 9000, maxNumBatchedTokens: 512}}")]
    [InlineData("{engine: {enableChunkedPrefill: false, maxModelLen: 9000}}")]
    [InlineData(
        "{tensorParallelSize: 8, tuning: {ncclMinNChannels: 112, env: [{name: A, value: '1'}, {name: B, valueFrom: {fieldRef: "
        + "{fieldPath: spec.nodeName}}}]}}")]
    [InlineData("{tuning: {ncclMinNChannels: Auto, env: [{name: NCCL_MIN_NCHANNELS, value: '64'}]}}")]
    [InlineData("{rollout: {maxUnavailable: 0, maxSurge: 1}}")]
    [InlineData("{tuning: {ncclMinNChannels: 64}}")]
    [InlineData("{model: {source: 'hf://a/b', cache: 'pvc://cache/hub'}}")]
    [InlineData("{model: {source: 'hf://a/b', cache: 'file:///var/cache/hub'}}")]
    [InlineData("{gpu: {placement: Spread}}")]
    [InlineData("{tensorParallelSize: auto}")]
    [InlineData(
        "{tensorParallelSize: auto, optimizeFor: Latency, tuning: {ncclMinNChannels: 112}, model: {source: 'pvc://a/b', config: "
        + "{model_type: llama}}}")]
    [InlineData("{engine: {quantization: awq, dtype: float16}}")]
    [InlineData("{engine: {quantization: fp8, dtype: bfloat16}}")]
    [InlineData("{engine: {quantization: gptq, dtype: auto}}")]
    [InlineData("{engine: {quantization: none, dtype: float32}}")]
    [InlineData(
        "{podTemplate: {metadata: {labels: {team: x}}, spec: {containers: [{name: worker, image: i}, {name: sidecar, args: [x]}], "
        + "initContainers: [{name: fetch}]}}}")]
    public void Valid_deployments_have_no_errors(string spec) => Assert.Empty(ModelDeploymentValidator.Validate(Deployment(spec)));

    [Theory]
    [InlineData("{model: {}}", "spec.model.source", "Required", "a model is needed")]
    [InlineData("{model: {source: 's3://x'}}", "spec.model.source", "Invalid", "'s3://x' has no known scheme")]
    [InlineData(
        "{model: {source: 'file:///m', tokenSecretRef: {name: hf, key: t}}}", "spec.model.tokenSecretRef", "Forbidden",
        "'hf' is a Hugging Face token")]
    [InlineData("{model: {source: 'hf://a/b', cache: 'hf://a/c'}}", "spec.model.cache", "Invalid", "'hf://a/c' is no folder")]
    [InlineData("{model: {source: 'hf://a/b', cache: '/var/cache'}}", "spec.model.cache", "Invalid", "'/var/cache' has no known scheme")]
    [InlineData(
        "{model: {source: 'file:///m', cache: 'pvc://c'}}", "spec.model.cache", "Forbidden", "'file:///m' does not come from there")]
    [InlineData("{gpu: {placement: Scatter}}", "spec.gpu.placement", "NotSupported", "supported: Pack, Spread")]
    [InlineData("{gpu: {allocation: DevicePlugin, placement: Spread}}", "spec.gpu.placement", "Forbidden", "topologySpreadConstraints")]
    [InlineData("{engine: {speculative: {model: '[ngrams]', numTokens: 2}}}", "spec.engine.speculative.model", "Invalid", "or [ngram]")]
    [InlineData("{model: {source: '[ngram]'}}", "spec.model.source", "Invalid", "has no known scheme")]
    [InlineData(
        "{tensorParallelSize: 4, tuning: {ncclMinNChannels: 65}}", "spec.tuning.ncclMinNChannels", "Invalid",
        "65 is above 64, which RCCL ignores with fewer than 8 ranks; tensorParallelSize is 4")]
    [InlineData("{engine: {speculative: {model: x, numTokens: 2}}}", "spec.engine.speculative.model", "Invalid", "'x' has no known scheme")]
    [InlineData("{gpu: {allocation: DevicePlugin, deviceAccess: Plugin}}", "spec.gpu.deviceAccess", "Forbidden", "with DevicePlugin")]
    [InlineData("{gpu: {allocation: ResourceClaim, deviceAccess: Plugin}}", "spec.gpu.deviceAccess", "Forbidden", "with ResourceClaim")]
    [InlineData("{gpu: {allocation: ResourceClaim, placement: Spread}}", "spec.gpu.placement", "Forbidden", "with ResourceClaim")]
    [InlineData(
        "{gpu: {allocation: ResourceClaim, resourceName: a.b/c}}", "spec.gpu.resourceName", "Forbidden", "'a.b/c' is a device plugin's")]
    [InlineData(
        "{gpu: {allocation: ResourceClaim}, tensorParallelSize: auto}", "spec.tensorParallelSize", "Forbidden", "only the scheduler")]
    [InlineData(
        "{podTemplate: {spec: {containers: [{name: worker, resources: {limits: {serving.cluster.sh/gpu-index-0: '1'}}}]}}}",
        "spec.podTemplate.spec.containers[0].resources.limits[serving.cluster.sh/gpu-index-0]", "Forbidden", "GPUs are booked by")]
    [InlineData("{gpu: {allocation: Sometimes}}", "spec.gpu.allocation", "NotSupported", "supported: Pinned, DevicePlugin")]
    [InlineData("{gpu: {allocation: DevicePlugin, deviceAccess: RuntimeClass}}", "spec.gpu.deviceAccess", "Forbidden", "Pinned only")]
    [InlineData(
        "{engine: {maxNumSeqs: 9, maxNumBatchedTokens: 8}}", "spec.engine.maxNumBatchedTokens", "Invalid", "8 is less than maxNumSeqs 9")]
    [InlineData(
        "{engine: {numSchedulerSteps: 4, speculative: {model: 'hf://a/b', numTokens: 2}}}", "spec.engine.numSchedulerSteps", "Invalid",
        "4 cannot be combined with speculative")]
    [InlineData(
        "{engine: {enableChunkedPrefill: false, maxModelLen: 9, maxNumBatchedTokens: 8}}", "spec.engine.maxNumBatchedTokens", "Invalid",
        "without chunked prefill")]
    [InlineData(
        "{engine: {extraArgs: [--seed=1, --max-model-len=5]}}", "spec.engine.extraArgs[1]", "Forbidden",
        "'--max-model-len=5' is set by spec.engine.maxModelLen")]
    [InlineData(
        "{engine: {extraArgs: [--seed=1, --max-model=5]}}", "spec.engine.extraArgs[1]", "Forbidden",
        "'--max-model=5' is set by spec.engine.maxModelLen")]
    [InlineData(
        "{engine: {extraArgs: [--num_shard, '5']}}", "spec.engine.extraArgs[0]", "Forbidden",
        "'--num_shard' is set by spec.tensorParallelSize")]
    [InlineData("{tensorParallelSize: Auto}", "spec.tensorParallelSize", "Invalid", "Auto must be auto or an integer from 1 to 64")]
    [InlineData("{tensorParallelSize: '2'}", "spec.tensorParallelSize", "Invalid", "must be auto or an integer")]
    [InlineData("{tensorParallelSize: 1.5}", "spec.tensorParallelSize", "Invalid", "1.5 must be auto")]
    [InlineData("{tensorParallelSize: 65}", "spec.tensorParallelSize", "Invalid", "65 must be auto")]
    [InlineData("{tensorParallelSize: [auto]}", "spec.tensorParallelSize", "Invalid", "must be auto")]
    [InlineData("{tensorParallelSize: 2, optimizeFor: Latency}", "spec.optimizeFor", "Forbidden", "it has no effect with 2")]
    [InlineData("{tensorParallelSize: auto, optimizeFor: Speed}", "spec.optimizeFor", "NotSupported", "supported: Throughput, Latency")]
    [InlineData("{model: {source: 'file:///m', config: {}}}", "spec.model.config", "Forbidden", "it has no effect with 1")]
    [InlineData("{engine: {extraArgs: [-tp, '2']}}", "spec.engine.extraArgs[0]", "Forbidden", "spec.tensorParallelSize")]
    [InlineData(
        "{engine: {extraArgs: [--no-enable-prefix-caching]}}", "spec.engine.extraArgs[0]", "Forbidden", "spec.engine.enablePrefixCaching")]
    [InlineData("{engine: {extraArgs: [--max_num_seqs]}}", "spec.engine.extraArgs[0]", "Forbidden", "spec.engine.maxNumSeqs")]
    [InlineData("{engine: {extraArgs: [--port=1]}}", "spec.engine.extraArgs[0]", "Forbidden", "the operator")]
    [InlineData("{tuning: {ncclMinNChannels: auto}}", "spec.tuning.ncclMinNChannels", "Invalid", "must be Auto or an integer")]
    [InlineData("{tuning: {ncclMinNChannels: '64'}}", "spec.tuning.ncclMinNChannels", "Invalid", "must be Auto or an integer")]
    [InlineData("{tuning: {ncclMinNChannels: 0}}", "spec.tuning.ncclMinNChannels", "Invalid", "0 must be")]
    [InlineData("{tuning: {ncclMinNChannels: 1.5}}", "spec.tuning.ncclMinNChannels", "Invalid", "1.5 must be")]
    [InlineData("{tuning: {ncclMinNChannels: [1]}}", "spec.tuning.ncclMinNChannels", "Invalid", "[1] must be")]
    [InlineData(
        "{tuning: {ncclMinNChannels: 64, env: [{name: NCCL_MIN_NCHANNELS, value: '1'}]}}", "spec.tuning.env[0].name", "Forbidden",
        "set by spec.tuning.ncclMinNChannels")]
    [InlineData(
        "{tuning: {env: [{name: A}, {name: ROCR_VISIBLE_DEVICES, value: '0'}]}}", "spec.tuning.env[1].name", "Forbidden",
        "the operator chooses those")]
    [InlineData("{tuning: {env: [{value: x}]}}", "spec.tuning.env[0].name", "Required", "needs a name")]
    [InlineData("{tuning: {env: [{name: A}, {name: A}]}}", "spec.tuning.env[1].name", "Duplicate", "A is set twice")]
    [InlineData("{tuning: {env: [{name: A, value: 1}]}}", "spec.tuning.env[0].value", "Invalid", "1 must be a string")]
    [InlineData("{tuning: {env: [{name: A, value: x, valueFrom: {}}]}}", "spec.tuning.env[0]", "Invalid", "both value and valueFrom")]
    [InlineData("{rollout: {maxUnavailable: 0}}", "spec.rollout", "Invalid", "cannot both be 0")]
    [InlineData(
        "{engine: {overrideGenerationConfig: 'temperature=1'}}", "spec.engine.overrideGenerationConfig", "Invalid",
        "must be a JSON object")]
    [InlineData(
        "{engine: {overrideGenerationConfig: '[]'}}", "spec.engine.overrideGenerationConfig", "Invalid", "must be a JSON object")]
    [InlineData("{podTemplate: {spek: {}}}", "spec.podTemplate.spek", "NotSupported", "supported: metadata, spec")]
    [InlineData("{podTemplate: {spec: 3}}", "spec.podTemplate.spec", "Invalid", "must be a mapping, found 3")]
    [InlineData(
        "{podTemplate: {metadata: {labels: {team: 'a b'}}}}", "spec.podTemplate.metadata.labels[team]", "Invalid",
        "'a b': a valid label must be an empty string or consist of")]
    [InlineData(
        "{podTemplate: {metadata: {labels: {team: 0123456789012345678901234567890123456789012345678901234567890123x}}}}",
        "spec.podTemplate.metadata.labels[team]", "Invalid", "must be no more than 63 bytes")]
    [InlineData(
        "{podTemplate: {metadata: {labels: {'a/b/c': x}}}}", "spec.podTemplate.metadata.labels[a/b/c]", "Invalid", "a qualified name must")]
    [InlineData(
        "{podTemplate: {metadata: {labels: {'Example.com/x': x}}}}", "spec.podTemplate.metadata.labels[Example.com/x]", "Invalid",
        "prefix part a lowercase RFC 1123 subdomain must")]
    [InlineData(
        "{podTemplate: {metadata: {annotations: {'-a': x}}}}", "spec.podTemplate.metadata.annotations[-a]", "Invalid",
        "name part must consist of")]
    [InlineData(
        "{podTemplate: {spec: {nodeSelector: {zone: 'a/b'}}}}", "spec.podTemplate.spec.nodeSelector[zone]", "Invalid",
        "'a/b': a valid label must")]
    [InlineData("{podTemplate: {metadata: {name: x}}}", "spec.podTemplate.metadata.name", "NotSupported", "labels, annotations")]
    [InlineData(
        "{podTemplate: {metadata: {labels: {serving.cluster.sh/x: z}}}}", "spec.podTemplate.metadata.labels[serving.cluster.sh/x]",
        "Forbidden", "the operator's own")]
    [InlineData(
        "{podTemplate: {metadata: {annotations: {a: 1}}}}", "spec.podTemplate.metadata.annotations[a]", "Invalid", "1 must be a string")]
    [InlineData("{podTemplate: {spec: {nodeName: x}}}", "spec.podTemplate.spec.nodeName", "Forbidden", "spec.gpu.nodeSelector")]
    [InlineData(
        "{podTemplate: {spec: {terminationGracePeriodSeconds: 1}}}", "spec.podTemplate.spec.terminationGracePeriodSeconds", "Forbidden",
        "spec.drainSeconds")]
    [InlineData(
        "{gpu: {nodeSelector: {a: b}}, podTemplate: {spec: {nodeSelector: {a: c}}}}", "spec.podTemplate.spec.nodeSelector[a]", "Invalid",
        "'c' contradicts")]
    [InlineData("{podTemplate: {spec: {containers: {name: worker}}}}", "spec.podTemplate.spec.containers", "Invalid", "must be a list")]
    [InlineData(
        "{podTemplate: {spec: {containers: [{name: main}]}}}", "spec.podTemplate.spec.containers", "Required", "none is called 'worker'")]
    [InlineData(
        "{podTemplate: {spec: {containers: [{name: worker}, {image: x}]}}}", "spec.podTemplate.spec.containers[1].name", "Required",
        "needs a name")]
    [InlineData(
        "{podTemplate: {spec: {containers: [{name: worker}, {name: worker}]}}}", "spec.podTemplate.spec.containers[1].name", "Duplicate",
        "two containers")]
    [InlineData(
        "{podTemplate: {spec: {containers: [{name: worker, args: [x]}]}}}", "spec.podTemplate.spec.containers[0].args", "Forbidden",
        "spec.engine.extraArgs")]
    [InlineData(
        "{podTemplate: {spec: {containers: [{name: worker, env: [{name: HIP_VISIBLE_DEVICES, value: '0'}]}]}}}",
        "spec.podTemplate.spec.containers[0].env[0].name", "Forbidden", "HIP_VISIBLE_DEVICES decides")]
    [InlineData(
        "{tuning: {env: [{name: A, value: x}]}, podTemplate: {spec: {containers: [{name: worker, env: [{name: B}, {name: A}]}]}}}",
        "spec.podTemplate.spec.containers[0].env[1].name", "Duplicate", "A is set by spec.tuning.env")]
    [InlineData(
        "{tuning: {ncclMinNChannels: 8}, podTemplate: {spec: {containers: [{name: worker, env: [{name: NCCL_MIN_NCHANNELS}]}]}}}",
        "spec.podTemplate.spec.containers[0].env[0].name", "Forbidden", "set by spec.tuning.ncclMinNChannels")]
    [InlineData(
        "{podTemplate: {spec: {initContainers: [{name: i, env: [{name: CUDA_VISIBLE_DEVICES}]}]}}}",
        "spec.podTemplate.spec.initContainers[0].env[0].name", "Forbidden", "CUDA_VISIBLE_DEVICES decides")]
    [InlineData(
        "{podTemplate: {spec: {containers: [{name: worker, resources: {limits: {amd.com/gpu: 4}}}]}}}",
        "spec.podTemplate.spec.containers[0].resources.limits[amd.com/gpu]", "Forbidden", "spec.tensorParallelSize")]
    public void A_contradiction_is_reported_at_its_field(string spec, string path, string reason, string message)
    {
        var error = Assert.Single(ModelDeploymentValidator.Validate(Deployment(spec)));
        Assert.Equal((path, reason), (error.Path, error.Reason.ToString()));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal($"{error.Path}: {error.Message}", error.ToString());
    }

    [Theory]
    [InlineData("70b")]
    [InlineData("a.b")]
    [InlineData("a-")]
    [InlineData("")]
    [InlineData("a23456789012345678901234567890123456789012345678901234")]
    public void A_name_that_no_service_can_have_is_refused(string name)
        => Assert.Equal("metadata.name", Assert.Single(ModelDeploymentValidator.Validate(Deployment("{}", name))).Path);

    [Fact]
    public void All_errors_are_reported_at_once()
        => Assert.Equal(
            ["spec.model.source", "spec.gpu.allocation", "spec.rollout"],
            ModelDeploymentValidator.Validate(Deployment("{model: {source: x}, gpu: {allocation: No1}, rollout: {maxUnavailable: 0}}"))
                .Select(error => error.Path));
}
