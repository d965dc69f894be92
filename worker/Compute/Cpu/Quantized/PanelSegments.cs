namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="Segments"/> as kernels read them.</summary>
internal readonly unsafe struct PanelSegments(int count, int length, int* ends, int* groups, int* order)
{
    public int Count => count;

    /// <summary>Places of inputs.</summary>
    public int Length => length;

    /// <summary>The input at each place, or -1; null where it is the place itself, but for the end.</summary>
    public int* Order => order;

    public int StartOf(int segment) => segment == 0 ? 0 : ends[segment - 1];

    public int EndOf(int segment) => ends[segment];

    public int GroupOf(int segment) => groups[segment];

    /// <summary>Copies a row's inputs to their places; those that no input has become zero.</summary>
    public void Arrange(float* inputs, int inFeatures, float* places)
    {
        if (order == null)
        {
            new Span<float>(inputs, inFeatures).CopyTo(new Span<float>(places, inFeatures));
            new Span<float>(places + inFeatures, length - inFeatures).Clear();
            return;
        }

        for (var place = 0; place < length; place++)
        {
            var input = order[place];
            places[place] = input < 0 ? 0 : inputs[input];
        }
    }

    /// <summary>The segment after as many as fit into so many places; at least one.</summary>
    public int EndFrom(int first, int places)
    {
        var end = first + 1;
        while (end < count && ends[end] - StartOf(first) <= places)
        {
            end++;
        }

        return end;
    }
}
