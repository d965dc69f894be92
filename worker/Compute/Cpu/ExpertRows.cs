using Cluster.Worker.Compute.Cpu.Memory;
using Cluster.Worker.Compute.Cpu.Rows;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu;

/// <summary>Multiplies each expert's matrix with all rows routed to it at once, so that its weights are streamed once a step. Called by
/// <see cref="CpuBackend.ExpertLinear"/>; the multiplication is <see cref="Backend.Linear(Tensor, LinearWeight, Tensor)"/>, whose rows do
/// not depend on each other, so neither does a token's result on what else its experts compute.</summary>
/// <remarks>
/// Routed rows are numbered token·chosen + place. They are sorted by expert, keeping their order within one:
/// <code>
/// experts   [ 2 0 | 1 2 | 0 2 ]      three tokens, two experts each
/// rows      [ 1 4 | 2 | 0 3 5 ]      starts [0 2 3 6]
/// </code>
/// Memory grows to the largest step ever seen, so a steady decode allocates nothing.
/// </remarks>
internal sealed unsafe class ExpertRows(CpuBackend backend, WorkerThreads threads) : IDisposable
{
    private readonly ScratchMemory _rows = new();
    private NativeMemoryBlock _inputMemory = new(0);
    private NativeMemoryBlock _outputMemory = new(0);
    private CpuBuffer? _inputs;
    private CpuBuffer? _outputs;
    private int[] _starts = [];

    /// <summary>See <see cref="Backend.ExpertLinear"/>.</summary>
    /// <exception cref="ArgumentException">Shapes do not fit together, or a row is routed to an expert that does not exist.</exception>
    public void Linear(Tensor x, Tensor experts, ExpertWeights weights, Tensor output)
    {
        var routed = checked(experts.Rows * experts.Columns);
        if (x.Rows != experts.Rows && x.Rows != routed)
        {
            throw new ArgumentException($"{x} given where {experts.Rows} or {routed} rows are needed");
        }

        var memory = (int*)_rows.Floats(2L * routed);
        var destinations = memory;
        var sources = memory + routed;
        Sort(CpuBuffer.Integers(experts, routed), routed, weights.Experts.Count, destinations);
        var perSource = routed / Math.Max(1, x.Rows);
        for (var i = 0; i < routed; i++)
        {
            sources[i] = destinations[i] / perSource;
        }

        Multiply(x, sources, weights, experts.Rows, destinations, output with { Rows = routed });
    }

    /// <summary>See <see cref="Backend.HeadLinear"/>: row token·heads + head goes to expert head.</summary>
    /// <exception cref="ArgumentException">Shapes do not fit together.</exception>
    public void LinearByHead(Tensor x, ExpertWeights weights, Tensor output)
    {
        var (tokens, heads) = (x.Rows, weights.Experts.Count);
        if (x.Columns != heads * weights.InFeatures || output.Rows != tokens || output.Columns != heads * weights.OutFeatures)
        {
            throw new ArgumentException(
                $"{x} and {output} given where {heads} heads become {weights.OutFeatures} of {weights.InFeatures} features");
        }

        var routed = checked(tokens * heads);
        var rows = (int*)_rows.Floats(routed);
        Grow(heads);
        for (var head = 0; head < heads; head++)
        {
            _starts[head] = head * tokens;
            for (var token = 0; token < tokens; token++)
            {
                rows[head * tokens + token] = token * heads + head;
            }
        }

        _starts[heads] = routed;
        Multiply(
            x with { Rows = routed, Columns = weights.InFeatures }, rows, weights, tokens, rows,
            output with { Rows = routed, Columns = weights.OutFeatures });
    }

    public void Dispose()
    {
        _rows.Dispose();
        _inputMemory.Dispose();
        _outputMemory.Dispose();
    }

    /// <summary>Multiplies each expert's rows, which are those between its starts.</summary>
    /// <param name="sources">Rows of <paramref name="x"/>, sorted by expert.</param>
    /// <param name="mostRows">Of one expert.</param>
    /// <param name="destinations">Rows of <paramref name="output"/>, in the same order.</param>
    private void Multiply(Tensor x, int* sources, ExpertWeights weights, int mostRows, int* destinations, Tensor output)
    {
        var source = CpuBuffer.Floats(x, x.Rows, weights.InFeatures);
        var destination = CpuBuffer.Floats(output, output.Rows, weights.OutFeatures);
        var input = Scratch(ref _inputs, ref _inputMemory, "expert inputs", mostRows, weights.InFeatures);
        var result = Scratch(ref _outputs, ref _outputMemory, "expert outputs", mostRows, weights.OutFeatures);
        for (var expert = 0; expert < weights.Experts.Count; expert++)
        {
            var first = _starts[expert];
            var rows = _starts[expert + 1] - first;
            if (rows == 0)
            {
                continue;
            }

            var expertInput = input.FirstRows(rows);
            var expertResult = result.FirstRows(rows);
            RowRanges<GatheredRows>.Run(threads, rows, weights.InFeatures, new()
            {
                X = source,
                XRows = x.Rows,
                Rows = sources + first,
                Output = CpuBuffer.Floats(expertInput, rows, weights.InFeatures),
                Columns = weights.InFeatures,
            });
            backend.Linear(expertInput, weights.Experts[expert], expertResult);
            RowRanges<ScatteredRows>.Run(threads, rows, weights.OutFeatures, new()
            {
                X = CpuBuffer.Floats(expertResult, rows, weights.OutFeatures),
                Rows = destinations + first,
                Output = destination,
                Columns = weights.OutFeatures,
            });
        }
    }

    /// <summary>Counting sort; leaves where each expert's rows begin in <c>_starts</c>.</summary>
    private void Sort(int* experts, int routed, int count, int* rows)
    {
        Grow(count);
        Array.Clear(_starts);
        for (var i = 0; i < routed; i++)
        {
            if ((uint)experts[i] >= (uint)count)
            {
                throw new ArgumentException($"row {i} is routed to expert {experts[i]}; there are {count}");
            }

            _starts[experts[i]]++;
        }

        var end = 0;
        for (var expert = 0; expert <= count; expert++)
        {
            end += _starts[expert];
            _starts[expert] = end;
        }

        for (var i = routed - 1; i >= 0; i--)
        {
            rows[--_starts[experts[i]]] = i;
        }
    }

    private void Grow(int count)
    {
        if (_starts.Length < count + 1)
        {
            _starts = new int[count + 1];
        }
    }

    private static Tensor Scratch(ref CpuBuffer? buffer, ref NativeMemoryBlock memory, string name, int rows, int columns)
    {
        var bytes = (long)rows * columns * sizeof(float);
        if (buffer is null || memory.Bytes < bytes)
        {
            var grown = Math.Max(bytes, 2 * memory.Bytes);
            memory.Dispose();
            memory = new NativeMemoryBlock(grown);
            buffer = new CpuBuffer(name, memory);
        }

        return new Tensor(buffer, DType.F32, rows, columns);
    }
}
