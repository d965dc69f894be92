using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Models.Sources;

/// <summary>The tokenizer of a <see cref="SyntheticModel"/>: token n is the number n after a space. Text that is no such number is cut
/// into bytes, so that every text has tokens and comes back from them.</summary>
/// <remarks>
/// <code>
/// 0 … 255     bytes, in GPT-2's alphabet
/// 256         &lt;|im_start|&gt;
/// 257         &lt;|im_end|&gt;
/// 258 …       " 258", " 259", …
/// </code>
/// A number without a space before it, or one of the first 258, is cut into bytes, too.
/// </remarks>
internal static class NumberedWords
{
    public const string TurnStart = "<|im_start|>";
    public const string TurnEnd = "<|im_end|>";

    private const int Bytes = 256;

    /// <summary>The first id that is a number's.</summary>
    public const int FirstWord = Bytes + 2;

    /// <summary>Splits text into numbers with the space before them, and what is between them.</summary>
    private const string Pattern = " ?[0-9]+";

    private const string ChatTemplate =
        "{% for message in messages %}" + TurnStart + "{{ message['role'] }}\n{{ message['content'] }}" + TurnEnd + "\n{% endfor %}"
        + "{% if add_generation_prompt %}" + TurnStart + "assistant\n{% endif %}";

    /// <summary>Tokens as a vocabulary writes them, by id.</summary>
    public static IEnumerable<string> Tokens(int count) => Enumerable.Range(0, count).Select(id => id switch
    {
        < Bytes => ByteAlphabet.ToChar((byte)id).ToString(),
        Bytes => TurnStart,
        Bytes + 1 => TurnEnd,
        _ => ByteAlphabet.ToChar((byte)' ') + id.ToString(CultureInfo.InvariantCulture),
    });

    public static bool IsSpecial(int id) => id is Bytes or Bytes + 1;

    /// <summary>tokenizer.json, as Hugging Face's library reads it.</summary>
    public static byte[] TokenizerJson(int count)
    {
        using var stream = new MemoryStream(24 * count);
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteString("version", "1.0");
            writer.WriteNull("truncation");
            writer.WriteNull("padding");
            Write(writer, "added_tokens", new JsonArray(Added(Bytes, TurnStart), Added(Bytes + 1, TurnEnd)));
            writer.WriteNull("normalizer");
            Write(writer, "pre_tokenizer", new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject
                    {
                        ["type"] = "Split",
                        ["pattern"] = new JsonObject { ["Regex"] = Pattern },
                        ["behavior"] = "Isolated",
                        ["invert"] = false,
                    },
                    ByteLevel()),
            });
            writer.WriteNull("post_processor");
            Write(writer, "decoder", ByteLevel());
            writer.WriteStartObject("model");
            writer.WriteString("type", "BPE");
            foreach (var nothing in (string[])["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
            {
                writer.WriteNull(nothing);
            }

            writer.WriteBoolean("fuse_unk", false);
            writer.WriteBoolean("byte_fallback", false);

            // A word that is a token is that token: there are no merges that would lead to it.
            writer.WriteBoolean("ignore_merges", true);
            writer.WriteStartObject("vocab");
            var id = 0;
            foreach (var token in Tokens(count))
            {
                writer.WriteNumber(token, id++);
            }

            writer.WriteEndObject();
            writer.WriteStartArray("merges");
            writer.WriteEndArray();
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>tokenizer_config.json: a chat template, and no token that begins or ends a sequence.</summary>
    public static byte[] ConfigJson(int positions) => Encoding.UTF8.GetBytes(new JsonObject
    {
        ["tokenizer_class"] = "PreTrainedTokenizerFast",
        ["model_max_length"] = positions,
        ["clean_up_tokenization_spaces"] = false,
        ["chat_template"] = ChatTemplate,
    }.ToJsonString(new() { WriteIndented = true }));

    private static void Write(Utf8JsonWriter writer, string name, JsonNode node)
    {
        writer.WritePropertyName(name);
        node.WriteTo(writer);
    }

    private static JsonObject Added(int id, string content) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static JsonObject ByteLevel() => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = false,
        ["trim_offsets"] = true,
        ["use_regex"] = false,
    };
}
