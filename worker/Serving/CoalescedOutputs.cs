using System.Runtime.CompilerServices;
using System.Text;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving;

/// <summary>Takes a request's outputs from the engine as they come, also while their reader is away writing to a client that does not read. What waits then
/// is one output for each sequence, not one for each token: a few bytes a token. A reader that keeps up gets every output as it is and pays one handover,
/// on the thread that brought it. Used by the HTTP and gRPC APIs between the engine and what they send.</summary>
internal sealed class CoalescedOutputs
{
    private readonly Lock gate = new();
    private readonly Queue<int> order = new();
    private readonly Dictionary<int, WaitingOutput> waiting = [];
    private TaskCompletionSource<TokenOutput?>? reader;
    private Exception? failure;
    private bool ended;

    private CoalescedOutputs()
    {
    }

    /// <summary>The same outputs, of which those that had to wait may have become one. Leaving the enumeration leaves the engine's.</summary>
    public static async IAsyncEnumerable<TokenOutput> Of(IAsyncEnumerable<TokenOutput> outputs, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var buffer = new CoalescedOutputs();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var filling = buffer.FillAsync(outputs, leaving.Token);
        try
        {
            while (await buffer.TakeAsync() is { } output)
            {
                yield return output;
            }
        }
        finally
        {
            await leaving.CancelAsync();
            await filling;
        }
    }

    /// <summary>Never fails: the reader is told why it ended.</summary>
    private async Task FillAsync(IAsyncEnumerable<TokenOutput> outputs, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var output in outputs.WithCancellation(cancellationToken))
            {
                Add(output);
            }

            End(null);
        }
        catch (Exception exception)
        {
            End(exception);
        }
    }

    private void Add(TokenOutput output)
    {
        TaskCompletionSource<TokenOutput?>? taker;
        lock (gate)
        {
            taker = reader;
            reader = null;
            if (taker is null)
            {
                if (waiting.TryGetValue(output.Index, out var earlier))
                {
                    earlier.Append(output);
                    return;
                }

                waiting[output.Index] = new WaitingOutput(output);
                order.Enqueue(output.Index);
            }
        }

        // The reader goes on right here, until it has to wait for something: for the next output, or for its client.
        taker?.SetResult(output);
    }

    private void End(Exception? exception)
    {
        TaskCompletionSource<TokenOutput?>? taker;
        lock (gate)
        {
            ended = true;
            failure = exception;
            taker = reader;
        }

        if (exception is null)
        {
            taker?.SetResult(null);
        }
        else
        {
            taker?.SetException(exception);
        }
    }

    /// <summary>The output that has waited longest, or the next; null after the last.</summary>
    private ValueTask<TokenOutput?> TakeAsync()
    {
        lock (gate)
        {
            if (order.TryDequeue(out var index) && waiting.Remove(index, out var output))
            {
                return new(output.ToOutput());
            }

            if (failure is not null)
            {
                return ValueTask.FromException<TokenOutput?>(failure);
            }

            return ended ? new((TokenOutput?)null) : new((reader = new TaskCompletionSource<TokenOutput?>()).Task);
        }
    }

    /// <summary>Outputs of one sequence that have become one.</summary>
    private sealed class WaitingOutput
    {
        private readonly TokenOutput first;
        private TokenOutput last;
        private StringBuilder? text;
        private List<int>? tokenIds;
        private List<PositionLogprobs>? logprobs;

        public WaitingOutput(TokenOutput output) => first = last = output;

        public void Append(TokenOutput next)
        {
            (text ??= new StringBuilder(first.Text)).Append(next.Text);
            (tokenIds ??= [.. first.TokenIds]).AddRange(next.TokenIds);
            if ((first.Logprobs ?? next.Logprobs) is not null)
            {
                (logprobs ??= [.. first.Logprobs ?? []]).AddRange(next.Logprobs ?? []);
            }

            last = next;
        }

        public TokenOutput ToOutput() => text is null ? first : last with
        {
            Text = text.ToString(),
            TokenIds = tokenIds!,
            Logprobs = logprobs,
            PromptLogprobs = first.PromptLogprobs,
        };
    }
}
