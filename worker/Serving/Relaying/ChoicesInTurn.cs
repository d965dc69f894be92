using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Http;

namespace Cluster.Worker.Serving.Relaying;

/// <summary>Puts the outputs of a response's choices into one order, token by token: the first of every choice, the second of every choice,
/// and so on. So the order does not tell how fast each was computed, and a stream goes on elsewhere as it would have here.</summary>
/// <param name="count">Choices of the response.</param>
internal sealed class ChoicesInTurn(int count)
{
    private readonly Queue<IEnumerator<TokenOutput>>[] _waiting =
        [.. Enumerable.Range(0, count).Select(_ => new Queue<IEnumerator<TokenOutput>>())];
    private readonly bool[] _ended = new bool[count];
    private int _turn;

    public async IAsyncEnumerable<ChoiceOutput> OrderAsync(IAsyncEnumerable<ChoiceOutput> outputs)
    {
        await foreach (var (index, output) in outputs)
        {
            // Taken apart when it is their turn: a reader that was slow gets many at once.
            _waiting[index].Enqueue(output.OneByOne().GetEnumerator());
            while (Next() is { } next)
            {
                yield return new ChoiceOutput(_turn, next);
                _ended[_turn] = next.FinishReason is not null;
                PassTurn();
            }
        }
    }

    private TokenOutput? Next()
    {
        var queue = _waiting[_turn];
        while (queue.TryPeek(out var first))
        {
            if (first.MoveNext())
            {
                return first.Current;
            }

            queue.Dequeue().Dispose();
        }

        return null;
    }

    private void PassTurn()
    {
        for (var i = 0; i < count; i++)
        {
            _turn = (_turn + 1) % count;
            if (!_ended[_turn])
            {
                return;
            }
        }
    }
}
