namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>What a <see cref="Token"/> is.</summary>
internal enum TokenKind
{
    /// <summary>Template text outside of tags, whitespace control applied.</summary>
    Text,

    /// <summary><c>{{</c></summary>
    OutputStart,

    /// <summary><c>}}</c></summary>
    OutputEnd,

    /// <summary><c>{%</c></summary>
    BlockStart,

    /// <summary><c>%}</c></summary>
    BlockEnd,

    Name,
    String,
    Integer,
    Float,
    Operator,
    EndOfTemplate,
}
