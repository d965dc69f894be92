using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Manifests.Schema;
using Cluster.Operator.Manifests.Schema.Cel;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Facts of the CEL specification (cel-spec: langdef.md and its conformance tests) and of Kubernetes' use of it.</summary>
public sealed class CelTests
{
    private const string Schema = """
        {"type": "object", "properties": {
          "i": {"type": "integer"}, "n": {"type": "number"}, "s": {"type": "string"}, "b": {"type": "boolean"},
          "any": {"x-kubernetes-int-or-string": true},
          "list": {"type": "array", "items": {"type": "integer"}},
          "words": {"type": "array", "items": {"type": "string"}},
          "map": {"type": "object", "additionalProperties": {"type": "string"}},
          "o": {"type": "object", "properties": {"if": {"type": "string"}, "a-b": {"type": "integer"}, "c.d/e": {"type": "integer"}, "x__y": {"type": "integer"}, "absent": {"type": "string"}}},
          "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
          "items": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}}}}
        """;

    private const string Document = """
        {"i": 5, "n": 1, "s": "héllo 😀", "b": true, "any": "50%", "list": [3, 1, 2], "words": ["a", "b"], "map": {"k": "v", "dash-ed": "w"},
         "o": {"if": "kept", "a-b": 7, "c.d/e": 8, "x__y": 9}, "free": {"what": 1}, "items": [{"name": "p", "size": 1}, {"name": "q", "size": 2}]}
        """;

    [Theory]
    // Precedence and association.
    [InlineData("1 + 2 * 3 == 7")]
    [InlineData("(1 + 2) * 3 == 9")]
    [InlineData("10 - 3 - 2 == 5")]
    [InlineData("7 / 2 * 2 == 6")]
    [InlineData("-7 / 2 == -3 && -7 % 2 == -1")]
    [InlineData("!false || false && false")]
    [InlineData("true || false && false")]
    [InlineData("1 < 2 == true")]
    [InlineData("false ? 1 == 2 : true")]
    [InlineData("(true ? (false ? 1 : 2) : 3) == 2 && (false ? 1 : true ? 2 : 3) == 2")]
    [InlineData("--1 == 1 && !!true")]
    [InlineData("1 + 1 in [2]")]
    // Literals.
    [InlineData("0x1F == 31 && -0x10 == -16")]
    [InlineData("1.5e3 == 1500.0 && .5 == 0.5 && 1e2 == 100.0")]
    [InlineData("-9223372036854775808 < 9223372036854775807")]
    [InlineData("'a\\tb' == \"a\\x09b\" && '\\u00e9' == 'é' && '\\U0001F600' == '😀' && '\\101' == 'A'")]
    [InlineData("r'a\\d' == 'a\\\\d' && '''it's\nhere''' == \"it's\\nhere\"")]
    [InlineData("true // and that is all")]
    [InlineData("[1, 2,] == [1, 2] && {'a': 1,} == {'a': 1}")]
    // Equality across types of numbers; order.
    [InlineData("dyn(1) == 1.0 && dyn(1.0) == 1 && dyn(1) != 1.5 && 2 > 1.5 && 1.5 < 2")]
    [InlineData("9007199254740993 > 9007199254740992.0")]
    [InlineData("'a' < 'b' && 'Z' < 'a' && 'a' < 'aa' && false < true")]
    [InlineData("'\\uffff' < '😀'")]
    [InlineData("dyn([1, [2]]) == dyn([1.0, [2]]) && [1] != [1, 2] && {'a': [1]} == {'a': [1]} && {'a': 1} != {'b': 1}")]
    [InlineData("dyn('1') != 1 && dyn(null) != 0 && null == null")]
    [InlineData(
        "type(1) == int && type('') == string && type([]) == list && type(1.0) != int && type({}) == map && type(null) == null_type")]
    // Logic absorbs errors where the other side decides.
    [InlineData("true || 1 / 0 == 1")]
    [InlineData("1 / 0 == 1 || true")]
    [InlineData("!(false && 1 / 0 == 1) && !(1 / 0 == 1 && false)")]
    [InlineData("[0, 1].exists(x, 1 / x == 1)")]
    [InlineData("![0, 2].all(x, 1 / x == 1)")]
    // Macros.
    [InlineData("[1, 2, 3].all(x, x > 0) && ![1, 2].all(x, x > 1) && [].all(x, false)")]
    [InlineData("[1, 2].exists(x, x == 2) && ![].exists(x, true)")]
    [InlineData("[1, 2].exists_one(x, x == 2) && ![2, 2].exists_one(x, x == 2) && ![].exists_one(x, true)")]
    [InlineData("[1, 2, 3].map(x, x * 2) == [2, 4, 6] && [1, 2, 3].map(x, x > 1, x * 2) == [4, 6]")]
    [InlineData("[1, 2, 3].filter(x, x % 2 == 1) == [1, 3]")]
    [InlineData("{'a': 1, 'b': 2}.all(k, k in ['a', 'b']) && {'a': 1}.map(k, k + '!') == ['a!']")]
    [InlineData("[[1], [2]].all(x, x.all(x, x > 0))")]
    // Strings count code points.
    [InlineData("size('😀é') == 2 && '😀é'.size() == 2 && size('') == 0")]
    [InlineData("'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'abc'.contains('') && !'abc'.contains('d')")]
    [InlineData("'abc'.matches('b') && !'abc'.matches('^b') && matches('abc', '^a.c$')")]
    [InlineData("'ABCé'.lowerAscii() == 'abcé' && 'abcé'.upperAscii() == 'ABCé' && '  a '.trim() == 'a'")]
    [InlineData(
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'é😀'.split('') == ['é', '😀'] && "
        + "'a'.split(',', 0) == []")]
    [InlineData("['a', 'b'].join('-') == 'a-b' && ['a', 'b'].join() == 'ab' && 'a-b-c'.replace('-', '+') == 'a+b+c'")]
    [InlineData("'😀bc'.substring(1) == 'bc' && '😀bc'.substring(0, 1) == '😀' && '😀b'.charAt(1) == 'b' && 'ab'.charAt(2) == ''")]
    [InlineData("'x😀y'.indexOf('y') == 2 && 'aba'.lastIndexOf('a') == 2 && 'a'.indexOf('b') == -1")]
    // Conversions and lists.
    [InlineData(
        "int('42') == 42 && int(3.9) == 3 && double('1.5') == 1.5 && double(2) == 2.0 && string(5) == '5' && string(true) == 'true' && "
        + "string(1.5) == '1.5' && bool('true')")]
    [InlineData(
        "[1, 2, 2].isSorted() && ![2, 1].isSorted() && [1, 3].max() == 3 && [1, 3].min() == 1 && [1, 2].sum() == 3 && [1.5, 2.0].sum() "
        + "== 3.5 && [].sum() == 0")]
    [InlineData("[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1].indexOf(5) == -1")]
    [InlineData("[1] + [2] == [1, 2] && [1, 2][1] == 2 && {'a': 1}['a'] == 1 && {'a': 1}.a == 1 && size([1]) == 1 && size({'a': 1}) == 1")]
    [InlineData("has({'a': 1}.a) && !has({'a': 1}.b) && 'a' in {'a': 1} && !(2 in [1])")]
    // Values of an object, typed by its schema.
    [InlineData("self.i == 5 && self.i + 1 == 6 && self.b")]
    [InlineData("self.n / 2.0 == 0.5 && type(self.n) == double")]
    [InlineData("size(self.s) == 7 && type(self.any) == string && self.any.endsWith('%')")]
    [InlineData("self.list[0] == 3 && self.list.exists(x, x == 2) && 1 in self.list && self.list.max() == 3")]
    [InlineData(
        "'k' in self.map && self.map.k == 'v' && self.map['dash-ed'] == 'w' && has(self.map.k) && !has(self.map.z) && self.map.all(k, "
        + "size(self.map[k]) == 1)")]
    [InlineData("self.o.__if__ == 'kept' && self.o.a__dash__b == 7 && self.o.c__dot__d__slash__e == 8 && self.o.x__underscores__y == 9")]
    [InlineData("has(self.o) && has(self.o.a__dash__b) && !has(self.o.absent)")]
    [InlineData("self.items.map(x, x.name).join(',') == 'p,q' && self.items.filter(x, x.size > 1).size() == 1")]
    [InlineData("self == self && self.o == self.o && self.map != {} && self.items != []")]
    public void Holds(string expression) => Assert.True(Run(expression) is true);

    [Theory]
    [InlineData("1 / 0 == 1", "division by zero")]
    [InlineData("1 % 0 == 1", "modulus by zero")]
    [InlineData("9223372036854775807 + 1 > 0", "integer overflow")]
    [InlineData("-9223372036854775808 - 1 > 0", "integer overflow")]
    [InlineData("-self.i * 9223372036854775807 > 0", "integer overflow")]
    [InlineData("[1][1] == 1", "index out of bounds: 1")]
    [InlineData("[1][-1] == 1", "index out of bounds: -1")]
    [InlineData("{'a': 1}.b == 1", "no such key: b")]
    [InlineData("self.o.absent == 'x'", "no such key: absent")]
    [InlineData("dyn(1) + 'a' == ''", "no such overload")]
    [InlineData("dyn(1) == 1 && dyn('yes')", "no such overload")]
    [InlineData("self.any + 1 > 0", "no such overload")]
    [InlineData("int('x') == 1", "type conversion error from 'string' to 'int'")]
    [InlineData("[].max() == 1", "max called on empty list")]
    [InlineData("'abc'.substring(2, 1) == ''", "invalid substring range. start: 2, end: 1")]
    [InlineData("[1, 2].exists_one(x, 1 / (x - 1) == 1)", "division by zero")]
    [InlineData("[0].all(x, 1 / x == 1)", "division by zero")]
    [InlineData("dyn('(').contains('(') && 'a'.matches(dyn('('))", "error parsing regexp")]
    public void Has_no_value(string expression, string problem) =>
    Assert.Contains(problem, Assert.Throws<CelEvaluationException>(() => Run(expression)).Message);

    [Theory]
    [InlineData("", "unexpected '<EOF>'")]
    [InlineData("self.", "unexpected '<EOF>'")]
    [InlineData("true ? false ? 1 : 2 : 3", "unexpected '?', expecting ':'")]
    [InlineData("1 == 1.0", "applied to '(int, double)'")]
    [InlineData("(1", "unexpected '<EOF>', expecting ')'")]
    [InlineData("1 2", "unexpected '2'")]
    [InlineData("self.i = 5", "token recognition error at: '='")]
    [InlineData("'abc", "a string is not closed")]
    [InlineData("'\\q' == ''", "is no escape sequence")]
    [InlineData("9223372036854775808 > 0", "invalid int literal")]
    [InlineData("1u == 1", "unsigned integers are not supported")]
    [InlineData("b'a' == b'a'", "bytes are not supported")]
    [InlineData("[1, 2", "expecting ','")]
    [InlineData("f(1,)", "unexpected ')'")]
    [InlineData("for == 1", "unexpected 'for'")]
    [InlineData("has(self)", "invalid argument to has() macro")]
    [InlineData("[1].all(1, true)", "argument must be a simple name")]
    [InlineData("other == 1", "undeclared reference to 'other'")]
    [InlineData("self.missing == 1", "undefined field 'missing'")]
    [InlineData("has(self.o.missing)", "undefined field 'missing'")]
    [InlineData("self.free.what == 1", "undefined field 'what'")]
    [InlineData("self.i.x == 1", "type 'int' does not support field selection")]
    [InlineData("self.i == 'x'", "found no matching overload for '_==_' applied to '(int, string)'")]
    [InlineData("self.i + 1.0 == 2.0", "found no matching overload for '_+_' applied to '(int, double)'")]
    [InlineData("self.i < 'x'", "found no matching overload for '_<_'")]
    [InlineData("'i' in self", "found no matching overload for '@in'")]
    [InlineData("self['i'] == 5", "found no matching overload for '_[_]'")]
    [InlineData("self.list == ['a']", "applied to '(list(int), list(string))'")]
    [InlineData("self.i.startsWith('x')", "found no matching overload for 'startsWith' applied to 'int.(string)'")]
    [InlineData("startsWith('a', 'b')", "found no matching overload for 'startsWith'")]
    [InlineData("size() == 1", "found no matching overload for 'size'")]
    [InlineData("quantity('1Gi') == 1", "undeclared reference to 'quantity'")]
    [InlineData("_foo(1)", "undeclared reference to '_foo'")]
    [InlineData("self.i && true", "expected type 'bool' but found 'int'")]
    [InlineData("self.i ? true : false", "expected type 'bool' but found 'int'")]
    [InlineData("self.i.all(x, true)", "cannot be range of a comprehension")]
    [InlineData("self.list.all(x, x)", "expected type 'bool' but found 'int'")]
    [InlineData("self.i", "must evaluate to a bool")]
    [InlineData("'a'.matches('(')", "invalid matches argument")]
    public void Does_not_compile(string expression, string problem) =>
    Assert.Contains(problem, Assert.Throws<CelSyntaxException>(() => Run(expression)).Message);

    [Fact]
    public void A_compile_error_shows_the_place()
    {
        const string Source = "self.i > 0 &&\n  self.missing";
        var error = Assert.Throws<CelSyntaxException>(() => Run(Source));
        Assert.Equal("ERROR: <input>:2:7: undefined field 'missing'\n |   self.missing\n | ......^", error.Describe(Source));
        Assert.Equal(
            "ERROR: <input>:1:1: Syntax error: unexpected '<EOF>'\n | \n | ^",
            Assert.Throws<CelSyntaxException>(() => Run("")).Describe(""));
    }

    [Theory]
    [InlineData("(", ")", "true")]
    [InlineData("!", "", "true")]
    [InlineData("[", "]", "1")]
    [InlineData("1 + ", "", "1")]
    [InlineData("true ? true : ", "", "true")]
    [InlineData("[1].map(x, ", ")", "1")]
    public void However_deep_it_nests_it_is_refused_not_crashed_upon(string open, string close, string core)
    {
        StringBuilder source = new();
        source.Insert(0, open, 3000).Append(core).Insert(source.Length, close, 3000);
        Assert.Contains("recursion limit", Assert.Throws<CelSyntaxException>(() => Run(source.ToString())).Message);
    }

    [Fact]
    public void Long_chains_are_not_deep() => Assert.True(Run(string.Join(" && ", Enumerable.Repeat("self.i == 5", 2000))) is true);

    [Theory]
    [InlineData(
        "[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, [1,2,3,4,5,6,7,8,9,0].all(c, [1,2,3,4,5,6,7,8,9,0].all(d, "
        + "[1,2,3,4,5,6,7,8,9,0].all(e, [1,2,3,4,5,6,7,8,9,0].all(f, true))))))")]
    [InlineData(
        "['0123456789'].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + "
        + "x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + "
        + "x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).size() > 0")]
    [InlineData(
        "'aaaaaaaaaaaaaaaaaaaa'.replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('', "
        + "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('', "
        + "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').size() > 0")]
    public void An_evaluation_that_explodes_is_cut_off(string expression) => Assert.Throws<CelBudgetException>(() => Run(expression));

    [Fact]
    public void Random_input_gives_a_value_or_one_of_the_documented_errors()
    {
        string[] parts = [
            "self", ".", "i", "list", "s", "map", "(", ")", "[", "]", "{", "}", "1", "-1", "0", "1.5", "'a'", "+", "-", "*", "/", "%", "==",
            "<", "&&", "||", "!", "?", ":", ",", "in", "has", "all", "x", "size", "matches", "true", "null", "_", "oldSelf", "\"", "\\",
            "//", "😀"];
        Random random = new(11);
        Assert.All(Enumerable.Range(0, 3_000), i =>
        {
            var source = string.Concat(
                Enumerable.Range(0, random.Next(1, 12)).Select(_ => parts[random.Next(parts.Length)] + (random.Next(3) == 0 ? " " : "")));
            var error = Record.Exception(() => Run(source, CelType.Dyn));
            Assert.True(error is null or CelSyntaxException or CelEvaluationException, $"{source}: {error}");
        });
    }

    private static object? Run(string expression) => Run(expression, CelType.Bool);

    private static object? Run(string expression, CelType wanted)
    {
        List<FieldError> errors = [];
        var schema = StructuralSchema.Parse((JsonObject)Parsed(Schema), "", errors);
        Assert.Empty(errors);
        return CelProgram.Compile(expression, wanted, ("self", CelType.Of(schema, isResource: false)))
            .Run(CelBudget.ForObject().ForRule(), ("self", CelValue.Of(Parsed(Document), schema)));
    }

    private static JsonNode Parsed(string json) => JsonReading.Parse(Encoding.UTF8.GetBytes(json))!;
}
