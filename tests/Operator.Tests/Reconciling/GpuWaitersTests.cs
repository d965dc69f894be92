using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class GpuWaitersTests
{
    private readonly List<string> _woken = [];
    private readonly GpuWaiters _waiters = new();

    [Fact]
    public void Only_as_many_are_woken_as_the_free_gpus_can_serve_first_come_first_served()
    {
        Add("a", 4);
        Add("b", 2);
        Add("c", 2);
        Offer(5);
        Assert.Equal(["a", "b"], _woken);
    }

    [Fact]
    public void Who_cannot_use_what_is_free_goes_to_the_end_and_the_next_has_its_turn()
    {
        Add("a", 8);
        Add("b", 1);
        Offer(1);
        Assert.Equal(["a"], _woken);
        Add("a", 8); // It tried and is still short.
        Wake(1);
        Assert.Equal(["a", "b"], _woken);
    }

    [Fact]
    public void Nobody_tries_the_same_offer_twice()
    {
        Add("a", 8);
        Offer(1);
        Add("a", 8);
        Wake(1);
        Wake(1);
        Assert.Equal(["a"], _woken);
        Offer(1);
        Assert.Equal(["a", "a"], _woken);
    }

    [Fact]
    public void An_offer_that_others_took_wakes_nobody()
    {
        Add("a", 1);
        Offer(0);
        Assert.Empty(_woken);
        Wake(1);
        Assert.Equal(["a"], _woken);
    }

    [Fact]
    public void Who_has_what_it_wants_is_left_alone()
    {
        Add("a", 1);
        _waiters.Remove(new NamespacedName("ns", "a"));
        Offer(8);
        Assert.Empty(_woken);
    }

    private void Offer(int free) => _woken.AddRange(_waiters.Offer(free).Select(key => key.Name));

    private void Wake(int free) => _woken.AddRange(_waiters.Wake(free).Select(key => key.Name));

    private void Add(string name, int demand) => _waiters.Add(new NamespacedName("ns", name), demand);
}
