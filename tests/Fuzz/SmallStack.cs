namespace Cluster.Fuzz;

/// <summary>Runs code on a thread whose stack is as small as any that a request is served on.</summary>
internal static class SmallStack
{
    /// <summary>What a thread of the pool has where the C library is musl; elsewhere it has more.</summary>
    private const int Bytes = 1536 << 10;

    public static T Run<T>(Func<T> body)
    {
        T result = default!;
        Exception? failure = null;
        Thread thread = new(
            () =>
            {
                try
                {
                    result = body();
                }
                catch (Exception exception)
                {
                    failure = exception;
                }
            },
            Bytes);
        thread.Start();
        thread.Join();
        return failure is null ? result : throw failure;
    }
}
