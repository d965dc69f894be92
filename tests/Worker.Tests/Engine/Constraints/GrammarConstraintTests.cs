using System.Globalization;
using System.Text;
using System.Text.Json;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine.Constraints;

public sealed class GrammarConstraintTests
{
    /// <summary>llama.cpp's grammar of JSON, in its manner.</summary>
    private const string Json = """
        # any JSON value
        root   ::= value
        object ::= "{" ws ( pair ("," ws pair)* )? "}" ws
        pair   ::= string ":" ws value
        array  ::= "[" ws ( value ("," ws value)* )? "]" ws
        value  ::= object | array | string | number | ("true" | "false" | "null") ws
        string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-cA-C] [0-9a-fA-F]{3}) )* "\"" ws
        number ::= ("-"? ([0-9] | [1-9] [0-9]{0,14})) ("." [0-9]{1,6})? ([eE] [-+]? [0-9]{1,2})? ws
        ws ::= [ \t\n]{0,3}
        """;

    private const string Sums = """
        start: sum
        ?sum: sum "+" product | sum "-" product | product
        ?product: product "*" atom -> mul
                | atom
        ?atom: NUMBER | "(" sum ")"
        %import common.INT -> NUMBER
        %ignore " "
        """;

    private const string Sql = """
        start: select_statement
        select_statement: "SELECT"i column ("," column)* "FROM"i table [where]
        where: "WHERE"i condition (("AND"i | "OR"i) condition)~0..3
        condition: column ("=" | "<" | ">") (NUMBER | STRING)
        column: CNAME
        table: "users" | "orders"
        STRING: /'[^']{0,8}'/
        NUMBER: /[0-9]{1,4}/
        CNAME: /[a-z_]{1,8}/
        WS: /[ \t]/
        %ignore WS
        """;

    public static TheoryData<string, string[], string[]> Texts => new()
    {
        { "root ::= \"yes\" | \"no\"", ["yes", "no"], ["", "yesno", "y"] },
        { "root ::= a{2,3} b?\na ::= [a-c]\nb ::= .", ["ab", "abc", "abcé", "ab!"], ["a", "abcdd"] },
        { "root ::= (\"a\"\n  | \"b\")+ # comment\n", ["a", "abba"], ["", "c"] },
        { "root ::= \"\\u00e9\\x41\\n\" [^\\]a]", ["éA\nb"], ["éA\na", "éA\n]"] },
        { "root ::= x\nx ::= \"(\" x \")\" | \"\"", ["", "()", "((()))"], ["(", "(()", ")("] },
        { "root ::= e\ne ::= e \"+\" e | [0-9]", ["1", "1+2", "1+2+3+4"], ["+", "1+", "12"] },
        { "root ::= a \"!\"\na ::= b \"x\" | \"y\"\nb ::= a \"z\" | \"w\"", ["y!", "wx!", "yzx!", "wxzxzx!"], ["x!", "wz!", "yx!"] },
        { "root ::= a?\na ::= (a \",\")? \"n\"", ["", "n", "n,n,n"], [",n", "n,"] },
        { Json, ["{\"a\": [1, -2.5e3, {\"b\": null}]}", "\"\\n\"", "[]"], ["{a: 1}", "[1,]", "01", "\"\n\""] },
        { Sums, ["1", "1+2*(3-4)", "( 1 + 2 ) * 3", " 7"], ["1+", "()", "1 2", "a"] },
        { Sql, ["SELECT a FROM users", "select a , b_c from orders where a=1 AND b = 'x y'"], ["SELECT FROM users", "SELECT a FROM t"] },
        { "start: \"a\"..\"c\" _x?\n_x: /(?i)ok\\b/ | X~2\nX.2: \"x\"i", ["a", "bOK", "cxX"], ["d", "ax", "axxx"] },
        { "greeting: (\"hi\" | \"hello\") NAME+ \"!\"?\nNAME: \" \" /[A-Z][a-z]*/", ["hi Bob", "hello A Bc!"], ["hi", "hi bob"] },
        { "start: /\"::=\"/ // not GBNF\n", ["\"::=\""], ["::="] },
    };

    [Theory, MemberData(nameof(Texts))]
    public void A_grammar_accepts_and_rejects(string grammar, string[] accepted, string[] rejected)
    {
        var constraint = Compiled.Of(new Constraint.Grammar(grammar));
        Assert.All(accepted, text => Assert.True(constraint.Accepts(text), text));
        Assert.All(rejected, text => Assert.False(constraint.Accepts(text), text));
    }

    [Fact]
    public void Walks_through_a_grammar_of_JSON_are_JSON()
    {
        var constraint = Compiled.Of(new Constraint.Grammar(Json));
        var random = new Random(31);
        var ended = 0;
        for (var walk = 0; walk < 60; walk++)
        {
            if (constraint.Sample(random, 300) is { } text)
            {
                ended++;
                using var _ = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 1000 });
            }
        }

        Assert.InRange(ended, 20, 60);
    }

    /// <summary>Left recursion is a loop: no bound on nesting bounds it, and it costs no more at the end than at the beginning.</summary>
    [Fact]
    public void A_sum_of_thousands_is_a_sum_and_brackets_nest_dozens_deep()
    {
        var constraint = Compiled.Of(new Constraint.Grammar(Sums));
        var sum = new StringBuilder("1");
        for (var i = 0; i < 5000; i++)
        {
            sum.Append(CultureInfo.InvariantCulture, $"{(i % 2 == 0 ? '+' : '-')}{i}*2");
        }

        Assert.True(constraint.Accepts(sum.ToString()));
        Assert.False(constraint.Accepts(sum + "+"));
        Assert.True(constraint.Accepts(new string('(', 40) + "1" + new string(')', 40)));
    }

    [Theory]
    [InlineData("", "no rule")]
    [InlineData("root ::= x", "'x', which is not defined")]
    [InlineData("root ::= \"a\"\nroot ::= \"b\"", "twice (on line 2)")]
    [InlineData("root ::= \"a", "closing \"")]
    [InlineData("root ::= (\"a\"", "without ')'")]
    [InlineData("root ::= [a", "without ']'")]
    [InlineData("root ::= \"a\"{5000}", "1024")]
    [InlineData("root ::= \"\\q\"", "\\q")]
    [InlineData("root ::= \"a\" %", "'%'")]
    [InlineData("a ::= \"b\"", "'root'")]
    [InlineData("root ::= root", "only calls itself")]
    [InlineData("root ::= \"a\" root", "no text")]
    [InlineData("start: x{a}", "template")]
    [InlineData("start{a}: a", "template")]
    [InlineData("start: NAME\n%import python.NAME", "'common'")]
    [InlineData("%import common.NOPE\nstart: NOPE", "common.NOPE")]
    [InlineData("%declare A\nstart: A", "%declare")]
    [InlineData("start: \"b\"..\"a\"", "in order")]
    [InlineData("start: /(/", "without ')'")]
    [InlineData("start: \"a\"~3..2", "order")]
    public void What_is_no_grammar_is_refused_by_name(string grammar, string named)
    {
        var refused = Assert.Throws<InvalidRequestException>(() => Compiled.Of(new Constraint.Grammar(grammar)));
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        Assert.Equal("grammar", refused.Parameter);
    }

    [Fact]
    public void Hostile_sizes_are_refused_with_the_limit()
    {
        Assert.Contains("64", Refusal("root ::= " + new string('(', 5000)), StringComparison.Ordinal);
        var rules = string.Concat(Enumerable.Range(0, 5000).Select(i => $"r{i} ::= \"a\"\n"));
        Assert.Contains("4096", Refusal(rules), StringComparison.Ordinal);
        Assert.Contains("200000 nodes", Refusal("root ::= (a{1000}){1000}\na ::= \"abcdefgh\""), StringComparison.Ordinal);
        Assert.Contains("1048576", Refusal(new string(' ', 2_000_000)), StringComparison.Ordinal);

        // Each alternative doubles what stands at the left.
        var tangled = string.Concat(
            Enumerable.Range(0, 30).Select(i => $"r{i} ::= r{(i + 1) % 30} \"a\" | r{(i + 1) % 30} \"b\" | \"c\"\n"));
        Assert.Contains("left", Refusal("root ::= r0\n" + tangled), StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_compiles_or_is_refused_by_name()
    {
        string[] pieces = [
            "root ::= ", "start: ", "a", "\"x\"", "'y'", "[a-z]", "[^", "(", ")", "|", "*", "+", "?", "{2}", "{", "~2", "\n", "/x/", "/",
            "%ignore ", "%import common.WS", "A: ", "a ::= ", "->", "..", ".", "#", "//", "\\", "\0", "é", "root", "start",
        ];
        var random = new Random(32);
        var compiled = 0;
        for (var round = 0; round < 5000; round++)
        {
            var grammar = (random.Next(2) == 0 ? "root ::= " : "start: ")
                + string.Join(
                    random.Next(2) == 0 ? " " : "",
                    Enumerable.Range(0, random.Next(1, 12)).Select(_ => pieces[random.Next(pieces.Length)]));
            try
            {
                Worker.Engine.Constraints.ConstraintCompiler.Build(new Constraint.Grammar(grammar));
                compiled++;
            }
            catch (InvalidRequestException refused)
            {
                Assert.Equal("grammar", refused.Parameter);
            }
        }

        Assert.InRange(compiled, 50, 4950);
    }

    private static string Refusal(string grammar) =>
        Assert.Throws<InvalidRequestException>(() => Compiled.Of(new Constraint.Grammar(grammar))).Message;
}
