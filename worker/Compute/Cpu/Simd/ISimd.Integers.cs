namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>Products of integers. A vector of words or sums has 32 bits in each lane, whatever its type says.</summary>
internal unsafe partial interface ISimd<V>
{
    /// <summary>Whether <see cref="AddQuads"/> is an instruction of the processor.</summary>
    static abstract bool HasQuads { get; }

    /// <summary>Bytes 0 and 2 of each word, as two numbers of 16 bits.</summary>
    static abstract V EvenBytes(V words);

    /// <summary>Bytes 1 and 3 of each word, as two numbers of 16 bits.</summary>
    static abstract V OddBytes(V words);

    /// <summary>Bytes 0 and 2 of each word, signed, as two numbers of 16 bits.</summary>
    static abstract V SignedEvenBytes(V words);

    /// <summary>Bytes 1 and 3 of each word, signed, as two numbers of 16 bits.</summary>
    static abstract V SignedOddBytes(V words);

    /// <summary>The 4 bits from <paramref name="shift"/> (0, 4, 8 or 12) on of each half of a word, as two numbers of 16 bits.</summary>
    static abstract V Nibbles(V words, int shift);

    /// <summary>The halves of each word, shifted down.</summary>
    static abstract V ShiftHalves(V words, int shift);

    /// <summary><see cref="Nibbles"/>, above which are as many bits as <paramref name="highBits"/> says (1 or 2) from
    /// <paramref name="highShift"/> on of each half of <paramref name="high"/>.</summary>
    static abstract V SplitNibbles(V words, int shift, V high, int highShift, int highBits);

    /// <summary>Adds to lane i of the sums the products of the two signed 16-bit numbers of word i with those of
    /// <paramref name="x"/>.</summary>
    static abstract V AddPairs(V words, int x, V sums);

    /// <summary>Adds to lane i of the sums the products of the two signed 16-bit numbers of word i of <paramref name="words"/> with those
    /// of <paramref name="others"/>.</summary>
    static abstract V AddPairs(V words, V others, V sums);

    static abstract V SubtractIntegers(V sums, V others);

    /// <summary>The floats nearest to the sums.</summary>
    static abstract V Rounded(V sums);

    /// <summary>Adds to lane i of the sums the products of the four unsigned bytes of word i with the signed ones of
    /// <paramref name="x"/>.</summary>
    static abstract V AddQuads(V words, int x, V sums);

    /// <summary>Lane i is the float nearest to sums[i] − zeros[i] · total.</summary>
    /// <param name="zeros">Floats that are integers.</param>
    static abstract V WithoutZeros(V sums, V zeros, int total);
}
