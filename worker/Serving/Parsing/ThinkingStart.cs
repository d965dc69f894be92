namespace Cluster.Worker.Serving.Parsing;

/// <summary>Where an output begins, by what the prompt ends with.</summary>
internal enum ThinkingStart
{
    /// <summary>The prompt says nothing of it: the output shows whether the model thinks.</summary>
    Open,

    /// <summary>The prompt has begun the thinking.</summary>
    Thinking,

    /// <summary>The prompt holds thinking that is over, or an empty one.</summary>
    Answering,
}
