namespace Cluster.Worker.Models.Layers;

/// <summary>How far loading has come; reported after each tensor.</summary>
/// <param name="BytesDone">Bytes handed to the backend so far, as stored in the source.</param>
/// <param name="BytesTotal">Bytes of all tensors of the source; unused ones count, so the end can lie a little below.</param>
/// <param name="Tensor">The tensor just loaded.</param>
internal readonly record struct LoadProgress(long BytesDone, long BytesTotal, string Tensor);
