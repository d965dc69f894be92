using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Compute;

/// <summary>A backend with tensors made from and read into arrays.</summary>
internal class BackendUnderTest(Backend backend) : IDisposable
{
    public Backend Backend => backend;

    public Tensor Floats(float[] values, int rows, int columns) =>
        backend.LoadVector(HostTensors.Of("test", DType.F32, values, values.Length)) with { Rows = rows, Columns = columns };

    public Tensor Empty(int rows, int columns) => backend.Allocate("output", DType.F32, rows, columns);

    public Tensor Integers(int rows, int columns, params int[] values)
    {
        var tensor = backend.Allocate("integers", DType.I32, rows, columns);
        backend.Upload(values, tensor);
        return tensor;
    }

    public float[] Read(Tensor tensor)
    {
        var values = new float[tensor.Rows * tensor.Columns];
        backend.Download(tensor, values);
        return values;
    }

    /// <summary>Integers below <paramref name="bound"/>, by the one operation that looks integers up: a table whose row i holds
    /// i.</summary>
    public Tensor AsFloats(Tensor integers, int bound)
    {
        var numbers = HostTensors.Of("numbers", DType.F32, [.. Enumerable.Range(0, bound).Select(i => (float)i)], bound, 1);
        var output = Empty(integers.Rows * integers.Columns, 1);
        backend.Embed(integers with { Rows = output.Rows, Columns = 1 }, backend.LoadEmbedding(numbers), output);
        return output;
    }

    public int[] ReadIntegers(Tensor integers, int bound) => Array.ConvertAll(Read(AsFloats(integers, bound)), value => (int)value);

    public void Dispose() => backend.Dispose();
}
