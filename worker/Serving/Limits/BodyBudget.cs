namespace Cluster.Worker.Serving.Limits;

/// <summary>Bounds the bytes of request bodies that are in memory at once, over all requests of both ports. Bodies are charged while they
/// are read, so nobody can reserve the budget by announcing a large body, and the charge is given back when the request ends. Middleware
/// of <see cref="WorkerServer"/>, behind authentication.</summary>
/// <param name="limit">Bytes that all bodies may have together.</param>
/// <param name="scratch">Is told of large bodies that have been let go of.</param>
internal sealed class BodyBudget(long limit, LargeBodyMemory scratch)
{
    /// <summary>So much of every body is free: bodies of ordinary size must not fail because of large ones.</summary>
    public const int FreeBytes = 1 << 16;

    private long _taken;

    /// <summary>Bytes that are charged now.</summary>
    public long Taken => Interlocked.Read(ref _taken);

    public async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Request.ContentLength <= FreeBytes)
        {
            await next(context);
            return;
        }

        await using var body = new ChargedBody(context.Request.Body, this);
        context.Request.Body = body;
        await next(context);
    }

    /// <summary>The body that had these is gone.</summary>
    public void GiveBack(long bytes)
    {
        Return(bytes);
        scratch.Add(bytes);
    }

    /// <exception cref="BodyBudgetException">Other requests hold the budget.</exception>
    public void Take(long bytes)
    {
        if (Interlocked.Add(ref _taken, bytes) > limit)
        {
            Return(bytes);
            throw new BodyBudgetException(
                $"the requests in work hold all {limit} bytes there are for large bodies (--max-inflight-request-bytes); send this one "
                + "again");
        }
    }

    private void Return(long bytes) => Interlocked.Add(ref _taken, -bytes);
}
