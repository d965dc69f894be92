namespace Cluster.Worker.Serving.Http;

/// <summary>Fields that OpenAI's clients send and that change no output. They are accepted whatever they hold, and these alone: any other
/// field that nothing reads is refused.</summary>
internal static class InertFields
{
    public static void AcceptInert(this RequestFields fields) => fields.Accept(
        "user", // Whom to blame: the service's own watch for abuse.
        "safety_identifier", // Its successor.
        "metadata", // Labels in the service's archive of answers.
        "store", // Whether an answer goes there; this server has none, and keeps nothing.
        "service_tier", // What a faster queue costs; there is one queue.
        "prompt_cache_key", // Where to look for a cached prefix; there is one cache, and it is always looked through.
        "prompt_cache_retention", // How long to keep it; until its room is needed.
        "prediction"); // What the answer may look like, to be faster; never what it is.
}
