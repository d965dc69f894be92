namespace Cluster.Worker.Engine.Constraints;

/// <summary>A constraint ready for use: an <see cref="Automaton"/>, made deterministic as far as outputs have come, and for each state the
/// mask of the tokens that may follow. Shared by all requests with the same constraint; safe for concurrent use.</summary>
/// <remarks>
/// A state without a future never comes about: a configuration is dropped as soon as its way to the end of its rule would need more
/// open calls than <see cref="Automaton.MaxDepth"/> (<see cref="Automaton.Height"/>), and the way of every call that waits was
/// checked when it began to wait. So from each state some byte, or the end, leads on, and with a token for each byte no mask is empty.
///
/// When too much is remembered, all is forgotten, the ways between states with them, or the first state would hold on to all others.
/// Outputs under way hold their own state, and find or make the others anew.
/// </remarks>
internal sealed class CompiledConstraint
{
    private readonly Automaton _automaton;
    private readonly TokenTrie _trie;
    private readonly ConstraintState _dead;
    private readonly Dictionary<ConstraintState, ConstraintState> _states = [];
    private readonly HashSet<Configuration> _visited = [];
    private readonly Stack<Configuration> _open = [];
    private readonly ConstraintState[] _path;
    private readonly Lock _gate = new();
    private long _bytes;
    private int _work;

    /// <exception cref="GenerationFailedException">There are too many ways to read the beginning.</exception>
    public CompiledConstraint(Automaton automaton, TokenTrie trie)
    {
        _automaton = automaton;
        _trie = trie;
        _path = new ConstraintState[trie.MaxDepth];
        _dead = new ConstraintState([], false, 0);
        Start = Close([new Configuration(automaton.Start, null)]);
    }

    public ConstraintState Start { get; }

    /// <summary>States remembered now.</summary>
    public int NumStates => _states.Count;

    /// <summary>The tokens that may come next; the array is shared and must not be changed.</summary>
    /// <exception cref="GenerationFailedException">The vocabulary has no token that could.</exception>
    public ulong[] Mask(ConstraintState state)
    {
        lock (_gate)
        {
            return state.Mask ??= ComputeMask(state);
        }
    }

    /// <summary>The state after a token; null when it may not come.</summary>
    public ConstraintState? Advance(ConstraintState state, int token)
    {
        if (_trie.BytesOf(token) is not { } spelled)
        {
            return state.IsAccepting && _trie.EosTokenIds.Contains(token) ? state : null;
        }

        lock (_gate)
        {
            _work = 0;
            foreach (var value in spelled)
            {
                state = Next(state, _automaton.ClassOfByte[value]);
                if (state == _dead)
                {
                    return null;
                }
            }
        }

        return state;
    }

    private ulong[] ComputeMask(ConstraintState start)
    {
        var mask = new ulong[(_trie.VocabSize + 63) / 64];
        var any = false;
        _work = 0;
        for (var i = 0; i < _trie.NumNodes;)
        {
            var node = _trie.Node(i);
            var state = Next(node.Depth == 0 ? start : _path[node.Depth - 1], _automaton.ClassOfByte[node.Value]);
            if (state == _dead)
            {
                i = node.End;
                continue;
            }

            _path[node.Depth] = state;
            for (var token = node.TokensStart; token < node.TokensEnd; token++)
            {
                any = true;
                Allow(mask, _trie.Token(token));
            }

            i++;
        }

        if (start.IsAccepting)
        {
            foreach (var token in _trie.EosTokenIds)
            {
                any = true;
                Allow(mask, token);
            }
        }

        if (!any)
        {
            throw new GenerationFailedException(
                "the vocabulary has no token that continues the structured output; a tokenizer with a token for each byte always has one");
        }

        ForgetIfTooMuch();
        _bytes += mask.Length * sizeof(ulong);
        return mask;
    }

    private static void Allow(ulong[] mask, int token) => mask[token >> 6] |= 1UL << token;

    private ConstraintState Next(ConstraintState state, byte byteClass)
    {
        if (state == _dead)
        {
            return _dead;
        }

        return state.Next[byteClass] ??= Step(state, _automaton.FirstByteOfClass[byteClass]);
    }

    private ConstraintState Step(ConstraintState state, byte value)
    {
        var reached = new List<Configuration>();
        foreach (var (node, stack) in state.Configurations)
        {
            foreach (var edge in _automaton.Bytes(node))
            {
                if (value >= edge.Low && value <= edge.High)
                {
                    reached.Add(new Configuration(edge.To, stack));
                }
            }
        }

        return Close(reached);
    }

    /// <summary>Follows every edge that reads nothing: into rules, and out of them.</summary>
    private ConstraintState Close(List<Configuration> reached)
    {
        _visited.Clear();
        _open.Clear();
        var readers = new List<Configuration>();
        var isAccepting = false;
        foreach (var configuration in reached)
        {
            Visit(configuration);
        }

        while (_open.TryPop(out var configuration))
        {
            var (node, stack) = configuration;
            if (_automaton.IsEnd(node))
            {
                if (stack is null)
                {
                    isAccepting = true;
                }
                else
                {
                    Visit(new Configuration(stack.ReturnTo, stack.Outer));
                }

                continue;
            }

            if (_automaton.Bytes(node).Length > 0)
            {
                readers.Add(configuration);
            }

            foreach (var to in _automaton.Epsilons(node))
            {
                Visit(new Configuration(to, stack));
            }

            foreach (var call in _automaton.Calls(node))
            {
                if (IsAlive(call.To, stack))
                {
                    Visit(
                        new Configuration(
                            _automaton.Rule(call.Rule).Start, _automaton.IsEnd(call.To) ? stack : new CallStack(call.To, stack)));
                }
            }
        }

        return readers.Count == 0 && !isAccepting ? _dead : Intern(readers, isAccepting);
    }

    private void Visit(Configuration configuration)
    {
        if (!IsAlive(configuration.Node, configuration.Stack) || !_visited.Add(configuration))
        {
            return;
        }

        if (_visited.Count > ConstraintLimits.MaxConfigurations)
        {
            throw new GenerationFailedException(
                $"the structured output can be read in more than {ConstraintLimits.MaxConfigurations} ways at once; use a pattern or "
                + "schema with fewer overlapping alternatives")
            {
                IsRequestsFault = true,
            };
        }

        if (++_work > ConstraintLimits.MaxWork)
        {
            throw new GenerationFailedException(
                $"the structured output can continue in too many ways: more than {ConstraintLimits.MaxWork} for one token; use a "
                + "pattern or schema with fewer overlapping alternatives or smaller bounds")
            {
                IsRequestsFault = true,
            };
        }

        _open.Push(configuration);
    }

    private bool IsAlive(int node, CallStack? stack) => _automaton.Height(node) <= _automaton.MaxDepth - CallStack.DepthOf(stack);

    private ConstraintState Intern(List<Configuration> readers, bool isAccepting)
    {
        // Dead ends have no bytes left to read that lead anywhere, but cost a look at every byte.
        readers.RemoveAll(configuration => !LeadsOn(configuration));
        readers.Sort((left, right) => left.Node != right.Node
            ? left.Node.CompareTo(right.Node)
            : (left.Stack?.GetHashCode() ?? 0).CompareTo(right.Stack?.GetHashCode() ?? 0));
        var state = new ConstraintState([.. readers], isAccepting, _automaton.FirstByteOfClass.Length);
        if (_states.TryGetValue(state, out var known))
        {
            return known;
        }

        ForgetIfTooMuch();
        _states.Add(state, state);
        _bytes += state.Bytes;
        return state;
    }

    private bool LeadsOn(Configuration configuration)
    {
        foreach (var edge in _automaton.Bytes(configuration.Node))
        {
            if (IsAlive(edge.To, configuration.Stack))
            {
                return true;
            }
        }

        return false;
    }

    private void ForgetIfTooMuch()
    {
        if (_states.Count < ConstraintLimits.MaxStates && _bytes < ConstraintLimits.MaxBytes)
        {
            return;
        }

        foreach (var state in _states.Keys)
        {
            state.Forget();
        }

        _states.Clear();
        _bytes = 0;
    }
}
