namespace Cluster.Worker.Tokenization.Decoders;

/// <summary><c>Strip</c>: takes up to a number of one character off each end of every token.</summary>
/// <param name="start">Most to take at the start.</param>
/// <param name="stop">Most to take at the end.</param>
internal sealed class StripDecoder(char content, int start, int stop) : IDecoder
{
    public void Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            var token = tokens[i];
            int from = 0, to = token.Length;
            while (from < to && from < start && token[from] == content)
            {
                from++;
            }
            while (to > from && token.Length - to < stop && token[to - 1] == content)
            {
                to--;
            }
            tokens[i] = token[from..to];
        }
    }
}
