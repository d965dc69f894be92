using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>The experts of a token and their weights. See <see cref="Backend.RouteToExperts"/>.</summary>
internal unsafe struct RoutedRows : IRowBody
{
    /// <summary><c>[rows, Count]</c>.</summary>
    public float* Logits;

    /// <summary><c>[rows, Chosen]</c>, like <see cref="Weights"/>.</summary>
    public int* Experts;
    public float* Weights;
    public int Count;
    public int Chosen;
    public bool Normalize;

    public readonly void Execute(int row)
    {
        var logits = Logits + (long)row * Count;
        var experts = Experts + (long)row * Chosen;
        var weights = Weights + (long)row * Chosen;
        Choose(logits, experts);

        var largest = logits[experts[0]];
        var sum = 0f;
        for (var i = 0; i < Chosen; i++)
        {
            weights[i] = MathF.Exp(logits[experts[i]] - largest);
            sum += weights[i];
        }

        if (!Normalize)
        {
            sum = 0;
            for (var expert = 0; expert < Count; expert++)
            {
                sum += MathF.Exp(logits[expert] - largest);
            }
        }

        for (var i = 0; i < Chosen; i++)
        {
            weights[i] /= sum;
        }
    }

    /// <summary>Insertion into a sorted list of the best so far: few are chosen, so most logits lose against the last.</summary>
    private readonly void Choose(float* logits, int* experts)
    {
        var found = 0;
        for (var expert = 0; expert < Count; expert++)
        {
            var place = found;
            while (place > 0 && logits[expert] > logits[experts[place - 1]])
            {
                place--;
            }

            if (place == Chosen)
            {
                continue;
            }

            found = Math.Min(found + 1, Chosen);
            for (var i = found - 1; i > place; i--)
            {
                experts[i] = experts[i - 1];
            }

            experts[place] = expert;
        }
    }
}
