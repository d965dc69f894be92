using System.Globalization;
using System.Text;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Plugin;

/// <summary>An <see cref="Explanation"/> in words.</summary>
internal static class ExplanationText
{
    private const int MostNodes = 20;
    private const int MostSteps = 20;
    private const int Width = 120;

    public static string Of(Explanation it)
    {
        StringBuilder text = new();
        Line(text, 0, $"{it.Namespace}/{it.Name}: {it.ReadyReplicas} of {Replicas(it.Replicas)} ready{Degree(it.TensorParallelSize)}, "
            + $"gpu.allocation {it.Allocation}");
        if (it.Invalid is not null)
        {
            Line(text, 1, $"no pod can be made from the spec: {it.Invalid}");
        }

        if (it.Memory is not null)
        {
            Heading(text, "memory");
            Line(text, 1, it.Memory.Message);
        }

        if (it.Pods.Count > 0)
        {
            Heading(text, "replicas");
            foreach (var pod in it.Pods)
            {
                Line(text, 1, $"{pod.Pod}  {Place(pod.Node, pod.Gpus)}, {pod.State}");
                foreach (var why in pod.Why)
                {
                    Line(text, 2, why);
                }
            }
        }

        if (it.Missing is not null)
        {
            Heading(text, "not placed");
            Line(text, 1, $"{Replicas(it.Missing.Replicas)}, {it.Missing.Reason}: {it.Missing.Message}");
        }

        AddNodes(text, it.Nodes);
        AddDegrees(text, it.WouldFit);
        if (it.Next.Count > 0)
        {
            Heading(text, "the operator will");
            AddSteps(text, it.Next);
        }

        if (it.WhatIf is not null)
        {
            Add(text, it.WhatIf);
        }

        return text.ToString();
    }

    private static void AddNodes(StringBuilder text, IReadOnlyList<NodeAccount> nodes)
    {
        if (nodes.Count == 0)
        {
            return;
        }

        Heading(text, "nodes");
        TextTable table = new("NODE", "GPUS", "FREE", "FOR THE NEXT REPLICA");
        foreach (var node in nodes.Take(MostNodes))
        {
            table.Add(
                node.Node, $"{node.Gpus}", $"{node.Free}",
                node.Takes is null ? node.Verdict : $"{node.Verdict}: {PodWords.Gpus(node.Takes)}");
        }

        Indented(text, table);
        if (nodes.Count > MostNodes)
        {
            Line(text, 1, $"and {nodes.Count - MostNodes} more (-o json has all)");
        }
    }

    private static void AddDegrees(StringBuilder text, IReadOnlyList<DegreeAccount> degrees)
    {
        if (degrees.Count == 0)
        {
            return;
        }

        Heading(text, "would fit, if it began anew");
        TextTable table = new("TP", "REPLICAS", "MEMORY", "");
        foreach (var degree in degrees)
        {
            table.Add(
                $"{degree.TensorParallelSize}", $"{degree.Replicas}",
                degree.MemoryFits switch
                {
                    null => "unknown",
                    true => $"fits, {Number(degree.KvCacheTokens ?? 0)} tokens of cache",
                    false => $"lacks {ByteText.Of(degree.MissingBytesPerGpu ?? 0)} on each GPU",
                },
                degree.IsPresent ? "as it is" : "");
        }

        Indented(text, table);
    }

    private static void Add(StringBuilder text, WhatIfAccount it)
    {
        Heading(text, $"what if {string.Join(", ", it.Changes)}");
        if (it.Invalid is not null)
        {
            Line(text, 1, $"it would be refused: {it.Invalid}");
            return;
        }

        if (it.Memory is not null)
        {
            Line(text, 1, $"memory: {it.Memory.Message}");
        }

        Line(
            text, 1,
            it.Fits >= it.Replicas ? $"all {Replicas(it.Replicas)} would have their GPUs"
                : $"{it.Fits} of {Replicas(it.Replicas)} would have their GPUs"
                    + (it.Shortage is null ? "" : $"; {it.Shortage.Reason}: {it.Shortage.Message}"));
        foreach (var placement in it.Placements.Take(MostSteps))
        {
            Line(text, 2, $"{Place(placement.Node, placement.Gpus)}{(placement.Pod is null ? "" : $" ({placement.Pod})")}");
        }

        if (it.Placements.Count > MostSteps)
        {
            Line(text, 2, $"and {it.Placements.Count - MostSteps} more (-o json has all)");
        }

        Line(text, 1, it.ReplacesPods ? "every pod would be made anew; first the operator would" : "the operator would");
        AddSteps(text, it.Steps.Count == 0 ? ["do nothing"] : it.Steps);
    }

    private static void AddSteps(StringBuilder text, IReadOnlyList<string> steps)
    {
        foreach (var step in steps.Take(MostSteps))
        {
            Line(text, 2, step);
        }

        if (steps.Count > MostSteps)
        {
            Line(text, 2, $"and {steps.Count - MostSteps} more steps (-o json has all)");
        }
    }

    private static string Place(string? node, IReadOnlyList<int> gpus) =>
        node is null ? "no node yet" : gpus.Count == 0 ? $"node {node}" : $"node {node}, {PodWords.Gpus(gpus)}";

    private static string Replicas(int count) => count == 1 ? "1 replica" : $"{count} replicas";

    private static string Degree(int? degree) => degree is null ? "" : $", {ByteText.Gpus(degree.Value)} each";

    private static string Number(long count) => count.ToString("#,0", CultureInfo.InvariantCulture);

    private static void Heading(StringBuilder text, string heading) => text.Append('\n').Append(heading).Append('\n');

    /// <summary>Folds sentences between words; what is folded is indented further.</summary>
    private static void Line(StringBuilder text, int depth, string line)
    {
        var (indent, rest) = (2 * depth, line);
        while (rest.Length > Width - indent && rest.LastIndexOf(' ', Width - indent) is > 0 and var space)
        {
            text.Append(' ', indent).Append(rest.AsSpan(0, space).TrimEnd()).Append('\n');
            (indent, rest) = (2 * (depth + 1), rest[(space + 1)..].TrimStart());
        }

        text.Append(' ', indent).Append(rest).Append('\n');
    }

    private static void Indented(StringBuilder text, TextTable table)
    {
        foreach (var line in table.Lines())
        {
            text.Append("  ").Append(line).Append('\n');
        }
    }
}
