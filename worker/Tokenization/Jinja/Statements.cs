namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Something that writes or changes state. Made by <see cref="Parser"/>, executed by <see cref="Interpreter"/>.</summary>
/// <param name="Line">Template line, from 1, for errors.</param>
internal abstract record Statement(int Line);

internal sealed record TextOutput(int Line, string Text) : Statement(Line);

/// <summary><c>{{ value }}</c></summary>
internal sealed record ValueOutput(int Line, Expression Value) : Statement(Line);

/// <summary>Where a loop or assignment puts values: one name, an attribute of a namespace, or several targets at once.</summary>
internal abstract record Target(int Line);

internal sealed record NameTarget(int Line, string Name) : Target(Line);

internal sealed record AttributeTarget(int Line, string Namespace, string Attribute) : Target(Line);

internal sealed record TupleTarget(int Line, IReadOnlyList<Target> Items) : Target(Line);

/// <summary><c>{% set target = value %}</c></summary>
internal sealed record Assignment(int Line, Target Target, Expression Value) : Statement(Line);

/// <summary><c>{% set target | filters %}body{% endset %}</c></summary>
/// <param name="Filter">The filters, applied to <see cref="Captured"/>; null without any.</param>
internal sealed record BlockAssignment(int Line, Target Target, IReadOnlyList<Statement> Body, Expression? Filter) : Statement(Line);

/// <summary><c>{% filter name %}body{% endfilter %}</c></summary>
internal sealed record FilterBlock(int Line, IReadOnlyList<Statement> Body, Expression Filter) : Statement(Line);

/// <summary>Stands for the text a block wrote, inside the filters applied to it.</summary>
internal sealed record Captured(int Line) : Expression(Line);

/// <param name="Branches">Conditions in order.</param>
/// <param name="Otherwise">Body of <c>else</c>; empty without one.</param>
internal sealed record If(
    int Line, IReadOnlyList<(Expression Condition, IReadOnlyList<Statement> Body)> Branches, IReadOnlyList<Statement> Otherwise)
    : Statement(Line);

/// <param name="Condition">Keeps only matching items; null keeps all.</param>
/// <param name="Otherwise">Runs when there was no item.</param>
/// <param name="Recursive">Whether the body may call <c>loop(items)</c>.</param>
internal sealed record For(
    int Line, Target Target, Expression Items, Expression? Condition, IReadOnlyList<Statement> Body, IReadOnlyList<Statement> Otherwise,
    bool Recursive) : Statement(Line);

internal sealed record Break(int Line) : Statement(Line);

internal sealed record Continue(int Line) : Statement(Line);

internal sealed record Parameter(string Name, Expression? Default);

internal sealed record MacroDefinition(int Line, string Name, IReadOnlyList<Parameter> Parameters, IReadOnlyList<Statement> Body)
    : Statement(Line);

/// <summary><c>{% call(parameters) target(arguments) %}body{% endcall %}</c>: the macro gets the body as <c>caller</c>.</summary>
internal sealed record CallBlock(int Line, IReadOnlyList<Parameter> Parameters, Call Call, IReadOnlyList<Statement> Body) : Statement(Line);

/// <summary><c>{% with name = value %}body{% endwith %}</c>, and <c>{% generation %}</c>, which only marks the assistant's text for
/// training.</summary>
internal sealed record Scoped(int Line, IReadOnlyList<(Target Target, Expression Value)> Assignments, IReadOnlyList<Statement> Body)
    : Statement(Line);
