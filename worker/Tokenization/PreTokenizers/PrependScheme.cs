namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary>Which pieces <see cref="MetaspacePreTokenizer"/> puts its space before.</summary>
internal enum PrependScheme
{
    /// <summary>Every one, those after an added token too.</summary>
    Always,

    /// <summary>Only the one at the start of the text.</summary>
    First,

    /// <summary>None.</summary>
    Never,
}
