using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Http;

/// <summary>The <c>stream_options</c> of a request: when a stream tells its token counts. Read by the OpenAI endpoints.</summary>
/// <param name="IncludeUsage">In an event of its own, after the last of the choices.</param>
/// <param name="ContinuousUsage">In every event, too (vLLM's <c>continuous_usage_stats</c>).</param>
internal sealed record StreamOptions(bool IncludeUsage, bool ContinuousUsage)
{
    private const string Name = "stream_options";

    /// <exception cref="ApiException">There are options, but nothing is streamed; or an unknown one.</exception>
    public static StreamOptions Read(RequestFields fields, bool stream)
    {
        if (fields.Element(Name) is not null && !stream)
        {
            throw ApiException.BadRequest($"'{Name}' is only allowed when 'stream' is true", Name);
        }

        using var options = fields.Nested(Name);
        var includeUsage = options.Boolean("include_usage") ?? false;
        var continuousUsage = options.Boolean("continuous_usage_stats") ?? false;

        // Padding against listeners who count bytes, which OpenAI's service adds; here there is none to leave out.
        options.Accept("include_obfuscation");
        options.RejectUnread();
        return new StreamOptions(includeUsage, includeUsage && continuousUsage);
    }

    /// <summary>The counts so far, where every event has them.</summary>
    /// <param name="last">The last output of each choice; null where it had none yet.</param>
    public Usage? Each(IReadOnlyList<TokenOutput?> last, int n) => ContinuousUsage ? Usage.Of(last, n) : null;
}
