using System.Text;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Http;

/// <summary>One output of a <see cref="TgiRequest"/>, token by token as TGI tells of it. Fed by <see cref="TgiEndpoint"/>.</summary>
internal sealed class TgiSequence(ServedModel model, TgiRequest request)
{
    private readonly StringBuilder _text = new(request.ReturnFullText ? request.Inputs : "");
    private readonly List<TgiToken> _tokens = [];
    private readonly List<IReadOnlyList<TgiToken>> _topTokens = [];
    private TokenOutput? _last;

    /// <summary>By which TGI chooses among outputs.</summary>
    public double MeanLogprob => _tokens.Count == 0 ? double.NegativeInfinity : _tokens.Average(token => (double)token.Logprob);

    public string Text => _text.ToString();

    /// <summary>Takes the next output.</summary>
    /// <returns>An event for each of its tokens. The last of the sequence has its whole text, and details where they were asked
    /// for.</returns>
    /// <exception cref="ApiException">The output was aborted, for which TGI has no finish reason.</exception>
    public IReadOnlyList<TgiStreamEvent> Add(TokenOutput output)
    {
        if (output.FinishReason == FinishReason.Abort)
        {
            throw new ApiException(
                StatusCodes.Status500InternalServerError, $"the generation was ended after {output.CompletionTokens} tokens",
                "server_error");
        }

        _last = output;
        _text.Append(output.Text);
        var events = new TgiStreamEvent[output.TokenIds.Count];
        var pieces = Pieces(output);
        for (var i = 0; i < events.Length; i++)
        {
            var (sampled, top) = output.Logprobs![i];
            _tokens.Add(Token(sampled, pieces[i]));
            _topTokens.Add([.. top.Select(one => Token(one, TokenText.Of(model.Tokenizer, one.TokenId)))]);
            var ends = output.FinishReason is not null && i == events.Length - 1;
            events[i] = new TgiStreamEvent(
                _tokens.Count,
                _tokens[^1],
                request.NumTopTokens > 0 ? _topTokens[^1] : null,
                ends ? Text : null,
                ends && request.Details ? new TgiStreamDetails(FinishReasonName, _tokens.Count, request.Seed, output.PromptTokens) : null);
        }

        return events;
    }

    /// <param name="others">Outputs that were not chosen.</param>
    public TgiDetails Details(IEnumerable<TgiSequence> others)
    {
        TgiBestOfSequence[] rest = [
            .. others.Select(
                other => new TgiBestOfSequence(
                    other.Text, other.FinishReasonName, other._tokens.Count, request.Seed, [], other._tokens, other.TopTokens))];
        return new TgiDetails(FinishReasonName, _tokens.Count, request.Seed, [], _tokens, TopTokens, rest.Length == 0 ? null : rest);
    }

    private List<IReadOnlyList<TgiToken>>? TopTokens => request.NumTopTokens > 0 ? _topTokens : null;

    private string FinishReasonName => _last switch
    {
        { FinishReason: FinishReason.Stop, StopReason: null } => "eos_token",
        { FinishReason: FinishReason.Stop } => "stop_sequence",
        _ => "length",
    };

    private TgiToken Token(TokenLogprob token, string piece) =>
        new(token.TokenId, piece, token.Logprob, model.Tokenizer.IsSpecial(token.TokenId));

    /// <summary>The part of an output's text that each of its tokens stands for: clients put the text together from tokens that are not
    /// special. A special token is written out. Where the tokens' own texts do not add up to the output's (half a character, text held back
    /// before), the last one has it all.</summary>
    private string[] Pieces(TokenOutput output)
    {
        string[] pieces = [.. output.TokenIds.Select(id => TokenText.Of(model.Tokenizer, id))];
        int[] plain = [.. Enumerable.Range(0, pieces.Length).Where(i => !model.Tokenizer.IsSpecial(output.TokenIds[i]))];
        if (plain.Length > 0 && string.Concat(plain.Select(i => pieces[i])) != output.Text)
        {
            Array.ForEach(plain, i => pieces[i] = "");
            pieces[plain[^1]] = output.Text;
        }

        return pieces;
    }
}
