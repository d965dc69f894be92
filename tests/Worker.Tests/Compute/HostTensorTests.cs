using Cluster.Worker.Compute;

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

    [Fact]
    public void Every_so_many_rows_are_a_tensor_of_their_own()
    {
        var tensor = HostTensors.Of("t", DType.BF16, [.. Enumerable.Range(0, 21).Select(i => (float)i)], 7, 3);

        var odd = tensor.RowRange(1, 3, step: 2);

        Assert.Equal([3f, 4f, 5f, 9f, 10f, 11f, 15f, 16f, 17f], WeightReader.ReadAll(odd));
        Assert.Equal([10f, 16f], WeightReader.ReadAll(odd.RowRange(1, 2).ColumnRange(1, 1)));
        Assert.Equal(4, tensor.RowRange(0, 4, step: 2).Rows);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.RowRange(1, 4, step: 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.RowRange(0, 1, step: 0));
    }

    [Fact]
    public void An_index_of_the_first_dimension_is_a_tensor_of_the_others()
    {
        var tensor = HostTensors.Of("t", DType.F16, [.. Enumerable.Range(0, 24).Select(i => (float)i)], 4, 3, 2);

        Assert.Equal([3, 2], tensor.Item(2).Shape);
        Assert.Equal([12f, 13f, 14f, 15f, 16f, 17f], WeightReader.ReadAll(tensor.Item(2)));
        Assert.Equal([13f, 15f], WeightReader.ReadAll(tensor.Item(2).RowRange(0, 2).ColumnRange(1, 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Item(4));
    }

    [Fact]
    public void A_run_of_columns_is_a_matrix_of_its_own_and_can_be_cut_again()
    {
        var tensor = HostTensors.Of("w", DType.BF16, [.. Enumerable.Range(0, 24).Select(i => (float)i)], 4, 6);

        var range = tensor.ColumnRange(1, 4);

        Assert.Equal([4, 4], range.Shape);
        Assert.Equal(32, range.ByteLength);
        Assert.Equal([7f, 8f, 9f, 10f], WeightReader.ReadAll(range.RowRange(1, 1)));
        Assert.Equal([9f, 10f, 15f, 16f], WeightReader.ReadAll(range.RowRange(1, 2).ColumnRange(2, 2)));
        Assert.Equal([8f, 14f], WeightReader.ReadAll(tensor.RowRange(1, 2).ColumnRange(2, 1)));
    }

    [Theory, InlineData(-1, 2), InlineData(0, 7), InlineData(5, 2), InlineData(1, -1)]
    public void Columns_that_do_not_exist_are_refused(int first, int count)
    {
        var tensor = HostTensors.Of("w", DType.F32, new float[24], 4, 6);

        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.ColumnRange(first, count));
    }
}
