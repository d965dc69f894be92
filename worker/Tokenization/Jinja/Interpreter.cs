using System.Runtime.CompilerServices;
using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Executes a template's statements once. Made by <see cref="Template"/> for each rendering.</summary>
internal sealed class Interpreter
{
    private enum Flow
    {
        Next,
        Break,
        Continue,
    }

    private readonly RenderBudget _budget;
    private readonly ExpressionEvaluator _evaluator;
    private StringBuilder _output = new();

    public Interpreter(RenderLimits limits)
    {
        _budget = new RenderBudget(limits);
        _evaluator = new ExpressionEvaluator(_budget);
    }

    /// <summary>Line of the statement or expression last begun.</summary>
    public int Line => _evaluator.Line;

    public string Run(IReadOnlyList<Statement> statements, IReadOnlyDictionary<string, object?> variables, TimeProvider clock)
    {
        Scope globals = new(outer: null);
        Globals.AddTo(globals, clock, _budget);
        foreach ((var name, var value) in variables)
        {
            globals.Set(name, value);
        }
        Execute(statements, new Scope(globals));
        _budget.Characters(_output.Length);
        return _output.ToString();
    }

    private Flow Execute(IReadOnlyList<Statement> statements, Scope scope)
    {
        foreach (var statement in statements)
        {
            var flow = Execute(statement, scope);
            if (flow != Flow.Next)
            {
                return flow;
            }
        }
        return Flow.Next;
    }

    private Flow Execute(Statement statement, Scope scope)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        _budget.Step();
        _evaluator.Line = statement.Line;
        switch (statement)
        {
            case TextOutput text:
                Write(text.Text);
                return Flow.Next;
            case ValueOutput output:
                Write(ValueWriter.ToText(_evaluator.Evaluate(output.Value, scope), _budget));
                return Flow.Next;
            case If branches:
                return ExecuteIf(branches, scope);
            case For loop:
                return ExecuteFor(loop, Values.Items(_evaluator.Evaluate(loop.Items, scope), _budget), scope, depth: 0);
            case Assignment assignment:
                Assign(assignment.Target, _evaluator.Evaluate(assignment.Value, scope), scope);
                return Flow.Next;
            case BlockAssignment assignment:
                var body = Capture(assignment.Body, new Scope(scope));
                Assign(assignment.Target, assignment.Filter is null ? body : _evaluator.Evaluate(assignment.Filter, scope, body), scope);
                return Flow.Next;
            case FilterBlock filter:
                body = Capture(filter.Body, new Scope(scope));
                Write(ValueWriter.ToText(_evaluator.Evaluate(filter.Filter, scope, body), _budget));
                return Flow.Next;
            case MacroDefinition macro:
                // It keeps the scopes around it.
                _budget.Objects(8);
                scope.Set(macro.Name, Macro(macro.Name, macro.Parameters, macro.Body, scope));
                return Flow.Next;
            case CallBlock block:
                ExecuteCallBlock(block, scope);
                return Flow.Next;
            case Scoped scoped:
                _budget.Objects(2);
                Scope inner = new(scope);
                foreach ((var target, var value) in scoped.Assignments)
                {
                    Assign(target, _evaluator.Evaluate(value, scope), inner);
                }
                return Execute(scoped.Body, inner);
            case Break:
                return Flow.Break;
            case Continue:
                return Flow.Continue;
            default:
                throw new InvalidOperationException($"no case for {statement.GetType().Name}");
        }
    }

    private Flow ExecuteIf(If branches, Scope scope)
    {
        foreach ((var condition, var body) in branches.Branches)
        {
            if (Values.IsTrue(_evaluator.Evaluate(condition, scope)))
            {
                return Execute(body, scope);
            }
        }
        return Execute(branches.Otherwise, scope);
    }

    private Flow ExecuteFor(For loop, IReadOnlyList<object?> items, Scope scope, int depth)
    {
        // The loop sees a snapshot: its body may append to the list it walks over.
        items = Values.Copy(items, _budget);
        _budget.Objects();
        if (loop.Condition is { } condition)
        {
            _budget.Slots(items.Count);
            items = items.Where(item =>
            {
                Scope candidate = new(scope);
                Assign(loop.Target, item, candidate);
                return Values.IsTrue(_evaluator.Evaluate(condition, candidate));
            }).ToList();
        }
        if (items.Count == 0)
        {
            return Execute(loop.Otherwise, scope);
        }
        LoopContext context = new(items, depth, _budget, loop.Recursive ? Recurse : null);
        for (var i = 0; i < items.Count; i++)
        {
            context.Index0 = i;
            Scope body = new(scope);
            body.Set("loop", context);
            Assign(loop.Target, items[i], body);
            if (Execute(loop.Body, body) == Flow.Break)
            {
                break;
            }
        }
        return Flow.Next;

        object? Recurse(object? inner) =>
            _budget.Call(() => Capture(() => ExecuteFor(loop, Values.Items(inner, _budget), scope, depth + 1)));
    }

    private void Assign(Target target, object? value, Scope scope)
    {
        switch (target)
        {
            case NameTarget name:
                scope.Set(name.Name, value);
                break;
            case AttributeTarget attribute:
                var space = scope.TryGet(attribute.Namespace, out var found) && found is Namespace existing
                    ? existing
                    : throw new RenderError($"'{attribute.Namespace}' is not a namespace, so '{attribute.Attribute}' cannot be set on it");
                _budget.Entry(attribute.Attribute);
                space.Attributes[attribute.Attribute] = value;
                break;
            case TupleTarget tuple:
                var values = Values.Items(Values.Defined(value), _budget);
                if (values.Count != tuple.Items.Count)
                {
                    throw new RenderError($"{values.Count} values cannot be unpacked into {tuple.Items.Count} names");
                }
                for (var i = 0; i < values.Count; i++)
                {
                    Assign(tuple.Items[i], values[i], scope);
                }
                break;
        }
    }

    private void ExecuteCallBlock(CallBlock block, Scope scope)
    {
        var target = _evaluator.Evaluate(block.Call.Target, scope);
        var arguments = _evaluator.EvaluateArguments(block.Call.Arguments, scope);
        _budget.Objects(8);
        Dictionary<string, object?> named = new(arguments.Named, StringComparer.Ordinal)
        {
            ["caller"] = Macro("caller", block.Parameters, block.Body, scope),
        };
        Write(ValueWriter.ToText(_evaluator.Invoke(target, arguments with { Named = named }), _budget));
    }

    private Function Macro(string name, IReadOnlyList<Parameter> parameters, IReadOnlyList<Statement> body, Scope definedIn) =>
        new(name, arguments => _budget.Call(() =>
        {
            var line = _evaluator.Line;
            Scope scope = new(definedIn);
            Bind(name, parameters, arguments, scope);
            var text = Capture(body, scope);
            _evaluator.Line = line;
            return text;
        }));

    private void Bind(string macro, IReadOnlyList<Parameter> parameters, Arguments arguments, Scope scope)
    {
        for (var i = 0; i < parameters.Count; i++)
        {
            var parameter = parameters[i];
            scope.Set(parameter.Name, arguments.TryGet(i, parameter.Name, out var value) ? value
                : parameter.Default is { } fallback ? _evaluator.Evaluate(fallback, scope)
                : new Undefined($"parameter '{parameter.Name}' of '{macro}' was not given"));
        }
        Dict rest = [];
        foreach ((var name, var value) in arguments.Named)
        {
            if (name == "caller")
            {
                scope.Set(name, value);
            }
            else if (parameters.All(parameter => parameter.Name != name))
            {
                rest.Set(name, value, _budget);
            }
        }
        _budget.Objects(2);
        _budget.Slots(arguments.Positional.Count);
        scope.Set("varargs", arguments.Positional.Skip(parameters.Count).ToArray());
        scope.Set("kwargs", rest);
    }

    private string Capture(IReadOnlyList<Statement> body, Scope scope) => Capture(() => Execute(body, scope));

    private string Capture(Func<Flow> write)
    {
        var outer = _output;
        _output = new StringBuilder();
        write();
        _budget.Characters(_output.Length);
        var text = _output.ToString();
        _output = outer;
        return text;
    }

    private void Write(string text)
    {
        _budget.Growth(text.Length);
        _output.Append(text);
    }
}
