using System.Net.Http.Headers;
using System.Text;

namespace Cluster.Fuzz.Targets;

/// <summary>An HTTP request as an input: a line with method and target, lines of headers, an empty line, and the body.</summary>
internal static class RequestText
{
    /// <returns>Null where the client would not send it.</returns>
    public static HttpRequestMessage? Read(byte[] input, Uri address, string contentType)
    {
        var (head, body) = HeadMutator.Split(input);
        var lines = Encoding.UTF8.GetString(head).Split('\n');
        if (lines[0].Split(' ') is not [var method, var target]
            || !target.StartsWith('/')
            || !Uri.TryCreate(address.GetLeftPart(UriPartial.Authority) + target, UriKind.Absolute, out var uri)
            || uri.Authority != address.Authority)
        {
            return null;
        }

        try
        {
            HttpRequestMessage request = new(new HttpMethod(method), uri) { Content = new ByteArrayContent(body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
            foreach (var line in lines.Skip(1))
            {
                if (line.Split(": ", 2) is [var name, var value])
                {
                    Add(request, name, value);
                }
            }

            return request;
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static void Add(HttpRequestMessage request, string name, string value)
    {
        if (!request.Headers.TryAddWithoutValidation(name, value))
        {
            request.Content!.Headers.Remove(name);
            request.Content.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
