// Answers prompts without a server.
// usage: offline MODEL [RANKS]
using Cluster.Worker.Offline;

var options = new LLMOptions { TensorParallelSize = args.Length > 1 ? int.Parse(args[1]) : 1, MaxModelLen = 256 };
await using var llm = await LLM.LoadAsync(args[0], options);
var sampling = new SamplingParams { Temperature = 0, MaxTokens = 64, Logprobs = 0 };

// All prompts at once: the engine batches them. Outputs come in the order of the prompts.
string[] prompts = ["Write a haiku about artificial intelligence", "The sea"];
foreach (var output in llm.Generate(prompts, sampling))
{
    Console.WriteLine($"{output.Prompt} -> {output.Outputs[0].Text} ({output.Outputs[0].CumulativeLogprob:F2})");
}

// A conversation, part by part.
await foreach (var part in llm.StreamChatAsync([ChatMessage.User("Write a haiku about artificial intelligence")], sampling))
{
    Console.Write(part.Text);
}

Console.WriteLine();
