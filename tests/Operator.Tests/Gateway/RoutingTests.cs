using System.Text;
using Cluster.Operator.Gateway.Routing;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>The pure parts of the choice: blocks, memory, choice and fair queue.</summary>
public sealed class RoutingTests
{
    [Fact]
    public void Prompts_that_begin_alike_have_equal_first_blocks()
    {
        var system = new string('s', 300);
        var left = PromptBlocks.Hash("m", Encoding.UTF8.GetBytes(system + new string('a', 300)));
        var right = PromptBlocks.Hash("m", Encoding.UTF8.GetBytes(system + new string('b', 300)));

        Assert.Equal(600 / PromptBlocks.BlockBytes, left.Length);
        var alike = 300 / PromptBlocks.BlockBytes;
        Assert.Equal(left[..alike], right[..alike]);
        Assert.DoesNotContain(left[alike..], hash => right.Contains(hash));
    }

    [Fact]
    public void Another_salt_shares_nothing()
    {
        var prompt = Encoding.UTF8.GetBytes(new string('s', 640));

        Assert.Empty(PromptBlocks.Hash("a", prompt).Intersect(PromptBlocks.Hash("b", prompt)));
    }

    [Fact]
    public void Hashes_do_not_collide_in_a_million()
    {
        var prompt = new byte[PromptBlocks.BlockBytes];
        HashSet<ulong> seen = [];
        for (var i = 0; i < 1_000_000; i++)
        {
            BitConverter.TryWriteBytes(prompt.AsSpan(i % 8 * 8), i);
            Assert.True(seen.Add(PromptBlocks.Hash(i < 500_000 ? "a" : "b", prompt)[0]), $"{i} collides");
        }
    }

    [Fact]
    public void A_memory_knows_what_was_added_and_stays_within_its_capacity()
    {
        var memory = new PrefixMemory { Capacity = 100 };
        var prompts = Enumerable.Range(0, 50)
            .Select(i => PromptBlocks.Hash($"p{i}", new byte[10 * PromptBlocks.BlockBytes])).ToList();

        foreach (var prompt in prompts)
        {
            memory.Add(prompt);
            Assert.Equal(10, memory.Match(prompt));
            Assert.InRange(memory.Count, 1, 100);
        }

        Assert.Equal(10, memory.Match(prompts[^4]));
        Assert.Equal(0, memory.Match(prompts[0]));
    }

    [Fact]
    public void What_is_used_again_and_again_is_not_forgotten()
    {
        var memory = new PrefixMemory { Capacity = 100 };
        var system = PromptBlocks.Hash("system", new byte[5 * PromptBlocks.BlockBytes]);
        for (var i = 0; i < 200; i++)
        {
            memory.Add(system);
            memory.Add(PromptBlocks.Hash($"user {i}", new byte[8 * PromptBlocks.BlockBytes]));
            Assert.Equal(5, memory.Match(system));
        }
    }

    [Fact]
    public void The_longest_known_beginning_is_chosen()
    {
        ReplicaOption[] options = [new(1, 2, 100, 3), new(2, 3, 900, 8), new(3, 0, 0, 0)];

        Assert.Equal(1, ReplicaChoice.Choose(RoutingPolicy.Prefix, options, cost: 50, first: 7, turn: 0));
        Assert.Equal(2, ReplicaChoice.Choose(RoutingPolicy.LeastLoaded, options, cost: 50, first: 7, turn: 0));
        Assert.Equal([0, 1, 2, 0], Enumerable.Range(0, 4).Select(
            turn => ReplicaChoice.Choose(RoutingPolicy.RoundRobin, options, cost: 50, first: 7, (uint)turn)));
    }

    [Fact]
    public void A_replica_far_above_the_average_is_not_chosen_for_what_it_knows()
    {
        ReplicaOption[] options = [new(1, 20, 10_000, 8), new(2, 2, 500, 0), new(3, 3, 600, 2)];

        Assert.Equal(2, ReplicaChoice.Choose(RoutingPolicy.Prefix, options, cost: 100, first: 7, turn: 0));
    }

    [Fact]
    public void Gateways_that_know_nothing_yet_agree_and_spread_prompts()
    {
        ReplicaOption[] options = [new(11, 0, 0, 0), new(22, 0, 0, 0), new(33, 0, 0, 0)];
        var chosen = Enumerable.Range(1, 3000).Select(i => PromptBlocks.Mix(0, (ulong)i))
            .Select(first => ReplicaChoice.Choose(RoutingPolicy.Prefix, options, cost: 100, first, turn: 0)).ToList();

        Assert.All(Enumerable.Range(0, 3), i => Assert.InRange(chosen.Count(c => c == i), 800, 1200));
    }

    [Fact]
    public void Nobody_gets_much_more_than_the_average_however_alike_the_prompts_are()
    {
        // All requests begin alike, and none ends.
        var loads = new (int Count, long Tokens)[4];
        var knows = new bool[4];
        for (var i = 0; i < 400; i++)
        {
            ReplicaOption[] options =
                [.. loads.Select((load, index) => new ReplicaOption((ulong)index, load.Count, load.Tokens, knows[index] ? 5 : 0))];
            var chosen = ReplicaChoice.Choose(RoutingPolicy.Prefix, options, cost: 100, first: 7, (uint)i);
            loads[chosen] = (loads[chosen].Count + 1, loads[chosen].Tokens + 100);
            knows[chosen] = true;
        }

        Assert.All(loads, load => Assert.InRange(load.Count, 70, 130));
    }

    [Fact]
    public void Flows_are_served_in_turns_whoever_sends_more()
    {
        var queue = new FairQueue<string>();
        for (var i = 0; i < 10; i++)
        {
            queue.Add("greedy", 100, $"g{i}");
        }

        queue.Add("modest", 100, "m0");
        queue.Add("modest", 100, "m1");

        Assert.Equal(["g0", "m0", "g1", "m1", "g2", "g3"], Drain(queue, 6));
    }

    [Fact]
    public void Large_requests_cost_their_flow_more_turns()
    {
        var queue = new FairQueue<string>();
        queue.Add("large", 300, "l0");
        queue.Add("large", 300, "l1");
        for (var i = 0; i < 5; i++)
        {
            queue.Add("small", 100, $"s{i}");
        }

        Assert.Equal(["l0", "s0", "s1", "s2", "l1", "s3", "s4"], Drain(queue, 7));
    }

    [Fact]
    public void Who_has_waited_already_comes_first_and_who_leaves_is_gone()
    {
        var queue = new FairQueue<string>();
        var (first, second) = ("a", "b");
        queue.Add("k", 1, first);
        queue.Add("k", 1, second);
        queue.AddFirst("moved");

        Assert.True(queue.Remove(first, served: false));
        Assert.False(queue.Remove(first, served: false));
        Assert.Equal(["moved", "b"], Drain(queue, 2));
        Assert.Equal(0, queue.Count);
    }

    private static List<string> Drain(FairQueue<string> queue, int count)
    {
        List<string> served = [];
        for (var i = 0; i < count; i++)
        {
            var next = queue.Items.First();
            queue.Remove(next, served: true);
            served.Add(next);
        }

        return served;
    }
}
