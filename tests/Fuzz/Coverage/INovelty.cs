namespace Cluster.Fuzz.Coverage;

/// <summary>Tells which inputs did something that none did before.</summary>
internal interface INovelty
{
    /// <summary>Called before each input.</summary>
    void Begin();

    /// <summary>Called after each input.</summary>
    bool IsNew(Verdict verdict);
}
