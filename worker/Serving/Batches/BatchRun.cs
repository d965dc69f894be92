namespace Cluster.Worker.Serving.Batches;

/// <summary>Answers a file of requests with the endpoints of the HTTP API, some at a time, into another file. A line that is wrong has an
/// error as its answer and ends nothing. Called by the run-batch command.</summary>
/// <param name="server">The API.</param>
/// <param name="maxConcurrency">Requests that run at once.</param>
/// <param name="maxLineBytes">Of the input.</param>
internal sealed class BatchRun(InProcessServer server, int maxConcurrency, int maxLineBytes)
{
    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private int _finished;
    private int _failed;

    /// <param name="report">Told finished requests, all of them, and a note.</param>
    /// <exception cref="FormatException">The output is none of this input.</exception>
    /// <exception cref="IOException">A file cannot be opened, or the model can be computed no more; what was answered is in the
    /// output.</exception>
    public async Task<BatchSummary> RunAsync(
        string input, string output, Action<int, int, string> report, CancellationToken cancellationToken)
    {
        var total = 0;
        await foreach (var line in BatchLines.ReadAsync(input, maxLineBytes, cancellationToken))
        {
            total += line.IsBlank ? 0 : 1;
        }

        using var answers = await BatchOutput.OpenAsync(output, cancellationToken);
        _finished = answers.NumDone;
        report(_finished, total, "");
        await Parallel.ForEachAsync(
            RequestsAsync(input, answers, cancellationToken),
            new ParallelOptions { MaxDegreeOfParallelism = maxConcurrency, CancellationToken = cancellationToken },
            async (item, stop) =>
            {
                await AnswerAsync(item.Number, item.Request, answers, stop);
                report(Interlocked.Increment(ref _finished), total, _failed == 0 ? "" : $", {_failed} failed");
            });
        return new BatchSummary(total, answers.NumDone, _failed);
    }

    /// <summary>What is left to answer. Read by one reader.</summary>
    private async IAsyncEnumerable<(int Number, BatchRequest Request)> RequestsAsync(
        string input, BatchOutput answers, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var line in BatchLines.ReadAsync(input, maxLineBytes, cancellationToken))
        {
            if (line.IsBlank)
            {
                continue;
            }

            var request = BatchRequest.Of(line, maxLineBytes);
            if (request.CustomId is { } id && !_ids.Add(id))
            {
                request = request with
                {
                    Error = new BatchError("duplicate_custom_id", $"'custom_id' is '{id}', as that of an earlier line is"),
                };
            }

            if (!answers.IsDone(line.Number, request.CustomId))
            {
                yield return (line.Number, request);
            }
        }
    }

    private async Task AnswerAsync(int number, BatchRequest request, BatchOutput answers, CancellationToken cancellationToken)
    {
        if (request.Error is { } error)
        {
            Interlocked.Increment(ref _failed);
            answers.Write(number, request.CustomId, error);
            return;
        }

        var answer = await server.PostAsync(request.Path, request.Body, cancellationToken);
        if (answer.Status == StatusCodes.Status503ServiceUnavailable)
        {
            // No fault of the request: the next run shall ask again.
            throw new IOException($"the run ended at line {number}: {answer.Text}");
        }

        if (answer.Status >= StatusCodes.Status400BadRequest)
        {
            Interlocked.Increment(ref _failed);
        }

        answers.Write(number, request.CustomId, answer, $"req_{Guid.NewGuid():N}");
    }
}

/// <summary>What a run came to.</summary>
/// <param name="Total">Requests of the input.</param>
/// <param name="Before">Answered by earlier runs.</param>
/// <param name="Failed">Whose answer of this run is an error.</param>
internal sealed record BatchSummary(int Total, int Before, int Failed);
