namespace Cluster.Operator.Gateway.Page;

/// <summary>Refusals of the page's own endpoints, in the shape that OpenAI's clients know.</summary>
internal static class PageErrors
{
    public static Task WriteAsync(HttpContext context, int status, string message)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(
            new { Error = new { Message = message, Type = "page_error", Code = status } }, PageJson.Options);
    }
}
