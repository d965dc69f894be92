namespace Cluster.Worker.Serving.Http;

/// <summary>What every generating endpoint does first: is there a model, and is it the one asked for.</summary>
internal static class ServingRequest
{
    /// <exception cref="ApiException">503 while loading, draining or failed.</exception>
    public static ServedModel RequireModel(ServingState state)
    {
        if (state.Failure is { } reason)
        {
            throw ApiException.Unavailable(reason);
        }

        if (state.WrongResults is { } deviation)
        {
            throw ApiException.Unavailable($"this worker computes wrong results and takes no new requests: {deviation}");
        }

        if (state.IsDraining)
        {
            throw ApiException.Unavailable("the server is shutting down and takes no new requests");
        }

        return state.Model ?? throw ApiException.Unavailable("the model is still loading; /ready answers 200 when it can be used");
    }

    /// <exception cref="ApiException">404 when the request names another model.</exception>
    public static void RequireName(ServedModel model, string? name)
    {
        if (name is not null && !model.Names.Contains(name))
        {
            throw new ApiException(
                StatusCodes.Status404NotFound,
                $"the model '{name}' does not exist; this server has: {string.Join(", ", model.Names.Select(known => $"'{known}'"))}",
                "invalid_request_error",
                "model",
                "model_not_found");
        }
    }

    /// <summary>The engine would refuse such a prompt, too, but not by the code that clients look for, to shorten it.</summary>
    /// <param name="parameter">The field the prompt is made of.</param>
    /// <exception cref="PromptTooLongException">The prompt leaves no room for one token of output.</exception>
    public static void RequireRoom(ServedModel model, IReadOnlyList<int> prompt, string parameter)
    {
        var longest = model.Engine.MaxModelLength;
        if (prompt.Count >= longest)
        {
            throw new PromptTooLongException(
                $"this model's maximum context length is {longest} tokens, prompt and output together, but the prompt has "
                + $"{prompt.Count}; shorten it to at most {longest - 1}", parameter);
        }
    }

    /// <summary>How many log-probabilities to report for each prompt token; null for none.</summary>
    /// <exception cref="ApiException">They are to be streamed, which vLLM's events have no place for.</exception>
    public static int? PromptLogprobs(RequestFields fields, bool stream) =>
        fields.Integer("prompt_logprobs") is not { } wanted ? null
        : !stream ? wanted
        : throw ApiException.BadRequest("'prompt_logprobs' cannot be streamed; ask without 'stream'", "prompt_logprobs");
}
