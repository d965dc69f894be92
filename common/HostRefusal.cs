namespace Cluster.Common;

/// <summary>Why <see cref="HostGuard"/> lets a request not pass.</summary>
/// <param name="Status">421 (Misdirected Request) for a name, 403 for a page's origin.</param>
/// <param name="Message">Names what was refused, and the option that would let it in.</param>
internal sealed record HostRefusal(int Status, string Message);
