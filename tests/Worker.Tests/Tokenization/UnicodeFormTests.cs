using System.Text;
using Cluster.Worker.Tokenization.Normalizers;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Examples from Unicode Standard Annex 15 and from its NormalizationTest.txt.</summary>
public sealed class UnicodeFormTests
{
    [Theory]
    [InlineData("\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A")]
    [InlineData("\u1E9B\u0323", "\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E69", "s\u0323\u0307")]
    [InlineData("\uFB01", "\uFB01", "\uFB01", "fi", "fi")]
    [InlineData("2\u2075", "2\u2075", "2\u2075", "25", "25")]
    [InlineData("\u1E0A\u0323", "\u1E0C\u0307", "D\u0323\u0307", "\u1E0C\u0307", "D\u0323\u0307")]
    [InlineData("D\u031B\u0307\u0323", "\u1E0C\u031B\u0307", "D\u031B\u0323\u0307", "\u1E0C\u031B\u0307", "D\u031B\u0323\u0307")]
    [InlineData("\uAC00\u11A8", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("\u1100\u1161\u11A7", "\uAC00\u11A7", "\u1100\u1161\u11A7", "\uAC00\u11A7", "\u1100\u1161\u11A7")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C")]
    [InlineData("\uFB1D", "\u05D9\u05B4", "\u05D9\u05B4", "\u05D9\u05B4", "\u05D9\u05B4")]
    [InlineData("\u0344", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165")]
    [InlineData("\U0002F800", "\u4E3D", "\u4E3D", "\u4E3D", "\u4E3D")]
    [InlineData("\u00A0\u3000", "\u00A0\u3000", "\u00A0\u3000", "  ", "  ")]
    [InlineData("a\u0300\u0300", "\u00E0\u0300", "a\u0300\u0300", "\u00E0\u0300", "a\u0300\u0300")]
    [InlineData("plain ASCII", "plain ASCII", "plain ASCII", "plain ASCII", "plain ASCII")]
    public void Known_texts_take_their_four_forms(string text, string nfc, string nfd, string nfkc, string nfkd)
    {
        Assert.Equal(nfc, Normalize(text, NormalizationForm.FormC));
        Assert.Equal(nfd, Normalize(text, NormalizationForm.FormD));
        Assert.Equal(nfkc, Normalize(text, NormalizationForm.FormKC));
        Assert.Equal(nfkd, Normalize(text, NormalizationForm.FormKD));
    }

    [Fact]
    public void Every_code_point_obeys_the_invariants_of_the_annex()
    {
        for (var code = 0; code <= 0x10FFFF; code++)
        {
            if (code is >= 0xD800 and <= 0xDFFF)
            {
                continue;
            }
            var text = "a" + char.ConvertFromUtf32(code) + "\u0323";
            string nfc = Normalize(text, NormalizationForm.FormC), nfd = Normalize(text, NormalizationForm.FormD);
            var nfkd = Normalize(text, NormalizationForm.FormKD);
            var holds = nfc == Normalize(nfc, NormalizationForm.FormC) && nfc == Normalize(nfd, NormalizationForm.FormC)
                && nfd == Normalize(nfc, NormalizationForm.FormD) && nfkd == Normalize(nfd, NormalizationForm.FormKD)
                && Normalize(nfkd, NormalizationForm.FormC) == Normalize(text, NormalizationForm.FormKC);
            Assert.True(holds, $"U+{code:X4}");
        }
    }

    private static string Normalize(string text, NormalizationForm form) => new UnicodeForm(form).Normalize(text);
}
