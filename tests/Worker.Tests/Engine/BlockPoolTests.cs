using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

public class BlockPoolTests
{
    [Fact]
    public void Freed_blocks_are_reused_least_recently_used_first()
    {
        var pool = new BlockPool(numBlocks: 3, blockSize: 4);
        var first = Hold(pool, 1);
        var second = Hold(pool, 1);
        var third = Hold(pool, 1);
        Register(pool, second, 2);
        Register(pool, third, 3);
        Register(pool, first, 1);
        var order = new[] { second.Blocks[0], third.Blocks[0], first.Blocks[0] };

        pool.Release([second]);
        pool.Release([third]);
        pool.Release([first]);

        Assert.Equal(order, new[] { pool.Allocate(), pool.Allocate(), pool.Allocate() });
    }

    [Fact]
    public void A_freed_block_stays_a_hit_until_it_is_reused()
    {
        var pool = new BlockPool(numBlocks: 2, blockSize: 4);
        var table = Hold(pool, 1);
        var block = table.Blocks[0];
        Register(pool, table, 7);
        pool.Release([table]);

        Assert.True(pool.TryFind(Hash(7), out var found));
        Assert.Equal(block, found);
        pool.Allocate();
        Assert.True(pool.TryFind(Hash(7), out _));
        pool.Allocate();
        Assert.False(pool.TryFind(Hash(7), out _));
    }

    [Fact]
    public void A_block_that_can_never_be_a_hit_is_reused_before_one_that_can()
    {
        var pool = new BlockPool(numBlocks: 2, blockSize: 4);
        var cached = Hold(pool, 1);
        var partial = Hold(pool, 1);
        var block = partial.Blocks[0];
        Register(pool, cached, 7);

        pool.Release([cached]);
        pool.Release([partial]);

        Assert.Equal(block, pool.Allocate());
    }

    [Fact]
    public void The_tail_of_a_sequence_is_reused_before_its_start()
    {
        var pool = new BlockPool(numBlocks: 3, blockSize: 4);
        var table = Hold(pool, 3);
        var blocks = table.Blocks.ToArray();
        for (var i = 0; i < 3; i++)
        {
            pool.Register(blocks[i], Hash(i));
        }

        pool.Release([table]);

        Assert.Equal([blocks[2], blocks[1], blocks[0]], [pool.Allocate(), pool.Allocate(), pool.Allocate()]);
    }

    [Fact]
    public void Tables_of_one_sequence_give_up_their_ends_together()
    {
        var pool = new BlockPool(numBlocks: 5, blockSize: 4);
        var (whole, window) = (Hold(pool, 3), new BlockTable());
        window.Begin(1);
        window.Add(pool.Allocate());
        window.Add(pool.Allocate());
        int[] expected = [whole.Blocks[2], window.Blocks[2], whole.Blocks[1], window.Blocks[1], whole.Blocks[0]];
        for (var block = 0; block < 5; block++)
        {
            pool.Register(block, Hash(block));
        }

        pool.Release([whole, window]);

        Assert.Equal((0, 0, 0, 0), (whole.First, whole.Count, window.First, window.Count));
        Assert.Equal(expected, Enumerable.Range(0, 5).Select(_ => pool.Allocate()));
    }

    [Fact]
    public void A_shared_block_is_free_only_when_its_last_holder_lets_go()
    {
        var pool = new BlockPool(numBlocks: 1, blockSize: 4);
        var one = Hold(pool, 1);
        var other = new BlockTable();
        pool.Share(one.Blocks[0]);
        other.Add(one.Blocks[0]);

        pool.Release([one]);
        Assert.Equal(0, pool.NumFree);
        pool.Release([other]);
        Assert.Equal(1, pool.NumFree);
    }

    [Fact]
    public void Sharing_a_free_hit_takes_it_out_of_the_middle_of_the_free_list()
    {
        var pool = new BlockPool(numBlocks: 4, blockSize: 4);
        var tables = Enumerable.Range(0, 4).Select(_ => Hold(pool, 1)).ToArray();
        var blocks = tables.Select(table => table.Blocks[0]).ToArray();
        for (var i = 0; i < 4; i++)
        {
            pool.Register(blocks[i], Hash(i));
            pool.Release([tables[i]]);
        }

        pool.Share(blocks[1]);

        Assert.Equal(3, pool.NumFree);
        Assert.Equal([blocks[0], blocks[2], blocks[3]], [pool.Allocate(), pool.Allocate(), pool.Allocate()]);
        Assert.Throws<InvalidOperationException>(() => pool.Allocate());
    }

    [Fact]
    public void Of_two_blocks_with_the_same_contents_the_first_stays_the_one_to_share()
    {
        var pool = new BlockPool(numBlocks: 2, blockSize: 4);
        var first = Hold(pool, 1);
        var second = Hold(pool, 1);
        Register(pool, first, 5);
        Register(pool, second, 5);
        var expected = first.Blocks[0];

        pool.Release([second]);
        pool.Allocate();

        Assert.True(pool.TryFind(Hash(5), out var found));
        Assert.Equal(expected, found);
    }

    [Fact]
    public void Random_use_agrees_with_a_model_made_of_plain_lists()
    {
        const int NumBlocks = 12;
        var random = new Random(1);
        var pool = new BlockPool(NumBlocks, blockSize: 4);
        var free = Enumerable.Range(0, NumBlocks).ToList();
        var contents = new Dictionary<int, int>();
        var held = new List<BlockTable>();
        var nextContent = 0;

        for (var i = 0; i < 20_000; i++)
        {
            if (random.Next(3) > 0 && free.Count > 0)
            {
                var block = pool.Allocate();
                Assert.Equal(free[0], block);
                free.RemoveAt(0);
                contents.Remove(block);
                var table = new BlockTable();
                table.Add(block);
                held.Add(table);
                if (random.Next(2) == 0)
                {
                    contents[block] = nextContent;
                    pool.Register(block, Hash(nextContent++));
                }
            }
            else if (random.Next(2) == 0 && contents.Count > 0)
            {
                var (block, content) = contents.ElementAt(random.Next(contents.Count));
                Assert.True(pool.TryFind(Hash(content), out var found));
                Assert.Equal(block, found);
                Assert.Equal(free.Contains(block), pool.IsFree(block));
                pool.Share(block);
                free.Remove(block);
                var table = new BlockTable();
                table.Add(block);
                held.Add(table);
            }
            else if (held.Count > 0)
            {
                var at = random.Next(held.Count);
                var table = held[at];
                var block = table.Blocks[0];
                held.RemoveAt(at);
                pool.Release([table]);
                if (!held.Any(other => other.Blocks[0] == block))
                {
                    free.Insert(contents.ContainsKey(block) ? free.Count : 0, block);
                }
            }

            Assert.Equal(free.Count, pool.NumFree);
        }
    }

    private static BlockHash Hash(int content) => new((ulong)content, 99);

    private static void Register(BlockPool pool, BlockTable table, int content) => pool.Register(table.Blocks[0], Hash(content));

    private static BlockTable Hold(BlockPool pool, int count)
    {
        var table = new BlockTable();
        for (var i = 0; i < count; i++)
        {
            table.Add(pool.Allocate());
        }

        return table;
    }
}
