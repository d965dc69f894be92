using Cluster.Worker.Compute;
using Xunit;

namespace Cluster.Worker.Tests.Compute;

public class HostTensorTests
{
    [Fact]
    public void A_range_of_rows_is_a_tensor_of_its_own()
    {
        var tensor = HostTensors.Of("t", DType.BF16, [1, 2, 3, 4, 5, 6, 7, 8], 4, 2);

        var range = tensor.RowRange(1, 2);

        Assert.Equal([2, 2], range.Shape);
        Assert.Equal([3f, 4f, 5f, 6f], WeightReader.ReadAll(range));
        Assert.Equal([5f, 6f], WeightReader.ReadAll(range.RowRange(1, 1)));
        Assert.Equal(0, tensor.RowRange(4, 0).Rows);
    }

    [Theory, InlineData(-1, 1), InlineData(0, -1), InlineData(3, 2), InlineData(1, int.MaxValue)]
    public void Rows_that_do_not_exist_are_refused(int first, int count)
    {
        var tensor = HostTensors.Of("t", DType.F32, new float[8], 4, 2);

        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.RowRange(first, count));
    }
}
