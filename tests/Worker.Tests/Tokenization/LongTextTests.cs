using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Models;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>A megabyte of hostile text costs published tokenizers linear work. Times are printed, work is asserted: candidates in the merge
/// queue and bytes allocated.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class LongTextTests(ITestOutputHelper output)
{
    private const int Characters = 1_000_000;

    // Spelled-out text, pieces, matches and ids of a text with one token a byte come to some 160 bytes a character.
    private const long MaxAllocatedPerCharacter = 320;

    public static TheoryData<string> Names => new("llama3", "qwen3", "gptoss", "deepseek_v3", "gemma3", "llama2");

    [Theory, MemberData(nameof(Names))]
    public void A_megabyte_of_hostile_text_allocates_in_proportion(string name)
    {
        var tokenizer = Tokenizer.Load(TokenizerGolden.Load(name).Folder);
        tokenizer.Encode("warm up", addSpecialTokens: false);
        foreach ((var title, var text) in Hostile())
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var watch = Stopwatch.StartNew();
            var ids = tokenizer.Encode(text, addSpecialTokens: false);
            watch.Stop();
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            var megabytes = Encoding.UTF8.GetByteCount(text) / 1e6;
            output.WriteLine(
                $"{name} {title}: {watch.ElapsedMilliseconds / megabytes:F0} ms/MB, {ids.Count} tokens, {allocated / text.Length} bytes "
                + $"allocated a character");
            Assert.True(
                allocated < MaxAllocatedPerCharacter * text.Length, $"{title}: {allocated} bytes allocated for {text.Length} characters");
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Merging_a_megabyte_looks_at_a_few_candidates_a_character(string name)
    {
        (var merges, var vocabulary) = ReadModel(Path.Combine(TokenizerGolden.Load(name).Folder, "tokenizer.json"));
        foreach ((var title, var text) in Hostile())
        {
            int[] symbols = [.. Symbols(text, vocabulary)];
            var length = symbols.Length;
            MergeLoop.RunByQueue(symbols, merges, out var dequeued);
            // Every symbol offers one candidate at first, and every merge, of which there are fewer than symbols, two more.
            Assert.True(dequeued <= 3L * length, $"{title}: {dequeued} candidates for {length} symbols");
        }
    }

    private static IEnumerable<(string Title, string Text)> Hostile()
    {
        yield return ("letter a", new string('a', Characters));
        yield return ("newlines", new string('\n', Characters));
        yield return ("spaces", new string(' ', Characters));
        yield return ("spaces before letters", string.Concat(Enumerable.Repeat(new string(' ', 999) + "x", Characters / 1000)));
        yield return ("emoji joined by ZWJ", string.Concat(Enumerable.Repeat("👩‍💻‍", Characters / 6)));
        Random random = new(17);
        StringBuilder text = new(Characters);
        while (text.Length < Characters)
        {
            var code = random.Next(1, 0x30000);
            text.Append(Rune.IsValid(code) ? new Rune(code).ToString() : " ");
        }
        yield return ("random Unicode", text.ToString());
        text.Clear();
        while (text.Length < Characters)
        {
            text.Append("The quick brown fox, aged ").Append(random.Next(1000)).Append(", doesn't jump over ")
                .Append((char)('a' + random.Next(26))).Append("-dogs.\n");
        }
        yield return ("English", text.ToString());
    }

    // One symbol a byte where the vocabulary spells bytes, else one a character; characters without a token are left out.
    private static IEnumerable<int> Symbols(string text, Vocabulary vocabulary)
    {
        if (vocabulary.TryGetId("Ġ", out _) && vocabulary.TryGetId("Ċ", out _))
        {
            foreach (var value in Encoding.UTF8.GetBytes(text))
            {
                yield return vocabulary.TryGetId([ByteAlphabet.ToChar(value)], out var id) ? id : 0;
            }
            yield break;
        }
        foreach (var rune in text.Replace(' ', '▁').EnumerateRunes())
        {
            if (vocabulary.TryGetId(rune.ToString(), out var id))
            {
                yield return id;
            }
        }
    }

    private static (Merges Merges, Vocabulary Vocabulary) ReadModel(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        var model = new JsonPart(path, "", document.RootElement).Required("model");
        var vocabulary = Vocabulary.Read(model.Required("vocab"));
        return (BpeReader.ReadMerges(model.Required("merges"), vocabulary, prefix: ""), vocabulary);
    }
}
