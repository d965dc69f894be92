using System.Text.Json.Nodes;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>What <c>general.architecture</c> of a GGUF file names: which architecture of transformers it is, what its keys say in that
/// one's config.json, and what the converter has changed in its weights. Keys and changes: llama.cpp's <c>convert_hf_to_gguf.py</c>. Used
/// by <see cref="GgufModel"/>.</summary>
/// <param name="Name">As the file spells it.</param>
/// <param name="HubName">As <c>architectures</c> in config.json spells it.</param>
internal sealed record GgufArchitecture(string Name, string HubName)
{
    private static readonly GgufArchitecture[] Supported =
    [
        new("llama", "LlamaForCausalLM") { InTurns = true, HubNameOf = GgufFields.LlamaOrMistral, Write = GgufFields.Llama },
        new("qwen2", "Qwen2ForCausalLM"),
        new("qwen3", "Qwen3ForCausalLM"),
        new("qwen3moe", "Qwen3MoeForCausalLM") { Write = GgufFields.Qwen3Moe },
        new("gemma", "GemmaForCausalLM") { Adjust = WithWholeNorms },
        new("gemma2", "Gemma2ForCausalLM") { Write = GgufFields.Gemma2, Adjust = WithWholeNorms },
        new("gemma3", "Gemma3ForCausalLM") { Write = GgufFields.Gemma3, Adjust = WithWholeNorms },
        new("phi3", "Phi3ForCausalLM") { Write = GgufFields.Phi3 },
        new("granite", "GraniteForCausalLM") { InTurns = true, Write = GgufFields.Granite },
        new("olmo2", "Olmo2ForCausalLM"),
        new("smollm3", "SmolLM3ForCausalLM") { InTurns = true },
        new("arcee", "ArceeForCausalLM") { InTurns = true },
        new("starcoder2", "Starcoder2ForCausalLM") { Write = GgufFields.Starcoder2 },
        new("stablelm", "StableLmForCausalLM") { Write = GgufFields.StableLm },
        new("command-r", "CohereForCausalLM") { Write = GgufFields.CommandR },
        new("gpt2", "GPT2LMHeadModel") { Adjust = config => config with { TransposedLayers = false } },
    ];

    /// <summary>Elements of a query or key head are in turns, x0 y0 x1 y1 …, where transformers has halves.</summary>
    public bool InTurns { get; private init; }

    /// <summary>Which of several architectures of transformers it is.</summary>
    public Func<GgufConfig, string>? HubNameOf { get; private init; }

    /// <summary>Fields beyond <see cref="GgufConfig.WriteCommonFields"/>.</summary>
    public Action<GgufConfig>? Write { get; private init; }

    /// <summary>Undoes in the configuration what the converter has done to the weights.</summary>
    public Func<ModelConfig, ModelConfig>? Adjust { get; private init; }

    /// <exception cref="CheckpointFormatException">There is no such architecture, or it is not supported.</exception>
    public static GgufArchitecture Of(string file, string name) =>
        Array.Find(Supported, architecture => architecture.Name == name)
        ?? throw new CheckpointFormatException(
            file,
            $"is a model of the architecture '{name}'; supported in GGUF files: "
            + string.Join(", ", Supported.Select(architecture => architecture.Name)));

    /// <summary>What config.json would say.</summary>
    /// <exception cref="CheckpointFormatException">A key is missing, malformed or not known.</exception>
    public JsonObject ConfigOf(GgufModel model)
    {
        var config = new GgufConfig(model, HubName);
        config.WriteCommonFields();
        config.WriteRope();
        Write?.Invoke(config);
        config.Json["architectures"] = new JsonArray(HubNameOf?.Invoke(config) ?? HubName);
        config.RefuseUnknown();
        return config.Json;
    }

    /// <summary>The converter adds to norms what transformers adds while it computes.</summary>
    private static ModelConfig WithWholeNorms(ModelConfig config) => config with { NormWeightOffset = 0 };
}
