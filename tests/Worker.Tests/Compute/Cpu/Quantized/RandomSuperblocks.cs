using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Tests.Compute.Cpu.Quantized;

/// <summary>K-quants of random numbers, which no file has packed.</summary>
internal sealed class RandomSuperblocks : SuperblockMatrix
{
    private readonly Half[] _scales;
    private readonly Half[] _minima;
    private readonly int[] _scaleCodes;
    private readonly int[] _minimumCodes;
    private readonly byte[] _codes;

    public RandomSuperblocks(Random random, int bits, int outFeatures, int inFeatures, int firstInput)
        : base("superblocks", outFeatures, inFeatures, bits, firstInput)
    {
        _scales = Halves(random, Superblocks * outFeatures);
        _minima = Halves(random, Superblocks * outFeatures);
        var count = Superblocks * GroupsOf(bits) * outFeatures;
        _scaleCodes = [.. Enumerable.Range(0, count).Select(_ => bits == 6 ? random.Next(-128, 128) : random.Next(64))];
        _minimumCodes = [.. Enumerable.Range(0, count).Select(_ => random.Next(64))];
        _codes = [.. Enumerable.Range(0, outFeatures * inFeatures).Select(_ => (byte)random.Next(1 << bits))];
    }

    public override float Scale(int group, int output) =>
        (float)_scales[(group / GroupsOf(Bits) * OutFeatures) + output] * _scaleCodes[(group * OutFeatures) + output];

    public override float Minimum(int group, int output) => Bits == 6
        ? Scale(group, output) * 32
        : (float)_minima[(group / GroupsOf(Bits) * OutFeatures) + output] * _minimumCodes[(group * OutFeatures) + output];

    public override void ReadHead(int superblock, int output, Span<uint> words)
    {
        words.Clear();
        words[0] = BitConverter.HalfToUInt16Bits(_scales[(superblock * OutFeatures) + output]);
        if (Bits != 6)
        {
            words[0] |= (uint)BitConverter.HalfToUInt16Bits(_minima[(superblock * OutFeatures) + output]) << 16;
        }

        for (var place = 0; place < GroupsOf(Bits); place++)
        {
            var at = (((superblock * GroupsOf(Bits)) + place) * OutFeatures) + output;
            if (Bits == 6)
            {
                words[1 + (place / 4)] |= (uint)(_scaleCodes[at] + 128) << (place % 4 * 8);
                continue;
            }

            words[1] |= (uint)(_scaleCodes[at] % 16) << (4 * place);
            words[2] |= (uint)(_minimumCodes[at] % 16) << (4 * place);
            words[3] |= (uint)(_scaleCodes[at] / 16) << (2 * place);
            words[3] |= (uint)(_minimumCodes[at] / 16) << (16 + (2 * place));
        }
    }

    public override void ReadRow(int output, Span<byte> codes) => _codes.AsSpan(output * InFeatures, InFeatures).CopyTo(codes);

    public override void ReadCodes(int k, int firstOutput, Span<byte> destination)
    {
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = _codes[((firstOutput + i) * InFeatures) + k];
        }
    }

    private static Half[] Halves(Random random, int count) =>
        Array.ConvertAll(HostTensors.Random(random, count, 1e-3f), value => (Half)value);
}
