namespace Cluster.Worker.Serving.Parsing;

/// <summary>Thinking between marks, <c>&lt;think&gt;…&lt;/think&gt;</c>, before the answer.</summary>
/// <param name="format">Its marks.</param>
/// <param name="start">Where the output begins.</param>
/// <param name="endings">Marks that the answer begins with, which end the thinking as well.</param>
/// <param name="answer">Takes the answer.</param>
internal sealed class ThinkingParser(ReasoningFormat format, ThinkingStart start, IReadOnlyList<string> endings, IOutputParser answer)
    : BufferedParser
{
    private enum Place
    {
        Start,
        Thinking,
        Answer,
    }

    private readonly string[] _ends = [.. format.Closes, .. endings];
    private Place _place = start == ThinkingStart.Answering ? Place.Answer : Place.Start;

    protected override bool Step(OutputPieces pieces, bool ended)
    {
        switch (_place)
        {
            case Place.Start:
                return Start(ended);
            case Place.Thinking:
                var end = TakeUpTo(_ends, ended, text => pieces.Reasoning(text));
                if (end is null)
                {
                    return false;
                }

                if (endings.Contains(end))
                {
                    answer.Add(end, pieces);
                }

                _place = Place.Answer;
                return true;
            default:
                answer.Add(Buffer.Rest, pieces);
                Buffer.Skip(Buffer.Length);
                return false;
        }
    }

    protected override void Finish(OutputPieces pieces)
    {
        if (Buffer.Length > 0)
        {
            answer.Add(Buffer.Take(Buffer.Length), pieces);
        }

        answer.End(pieces);
    }

    /// <summary>A model may repeat the mark that the prompt ends with.</summary>
    private bool Start(bool ended)
    {
        var undecided = false;
        foreach (var open in format.Opens)
        {
            var begins = Buffer.BeginsWith(open, ended, out var length);
            if (begins == true)
            {
                Buffer.Skip(length);
                _place = Place.Thinking;
                return true;
            }

            undecided |= begins is null;
        }

        if (!undecided)
        {
            _place = start == ThinkingStart.Thinking ? Place.Thinking : Place.Answer;
        }

        return !undecided;
    }
}
