using System.Text;

namespace Cluster.Worker.Tests.Serving.Robustness;

/// <summary>HTTP/1.1 that no client sends.</summary>
public sealed class Http1Tests(HaikuFixture fixture) : IClassFixture<HaikuFixture>
{
    private const string Post = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

    public static TheoryData<string, string> Malformed => new()
    {
        { "GARBAGE\r\n\r\n", "400" },
        { "POST /v1/completions\r\n\r\n", "400" },
        { "POST /v1/completions HTTP/9.9\r\nHost: localhost\r\n\r\n", "505" },
        { "POST /v1/completions HTTP/1.1\r\n\r\n", "400" },
        { "POST \u0000 HTTP/1.1\r\nHost: localhost\r\n\r\n", "400" },
        { $"{Post}Content-Length: -1\r\n\r\n", "400" },
        { $"{Post}Content-Length: 99999999999999999999999\r\n\r\n", "400" },
        { $"{Post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", "400" },
        { $"{Post}Content-Length: 4294967296\r\n\r\n", "413" },
        { $"{Post}Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400" },
        { $"{Post}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "400" },
        { $"{Post}Transfer-Encoding: gzip\r\n\r\n", "400" },
        { $"{Post}Bad Header\r\n\r\n", "400" },
        { $"{Post}X: a\u0000b\r\n\r\n", "400" },
        { $"{Post}X: {new string('a', 100_000)}\r\n\r\n", "431" },
        { $"{Post}{string.Concat(Enumerable.Range(0, 500).Select(i => $"X{i}: a\r\n"))}\r\n", "431" },
        { $"POST /{new string('a', 100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n", "414" },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task A_malformed_request_is_refused_and_the_next_one_served(string request, string status)
    {
        using (var connection = await RawConnection.OpenAsync(fixture.Server.Http.Server.HttpAddress))
        {
            await connection.SendAsync(Encoding.Latin1.GetBytes(request));
            var answer = Encoding.Latin1.GetString(await connection.ReceiveAsync(bytes => bytes.AsSpan().IndexOf("\r\n\r\n"u8) >= 0));

            // Refused in mid-sentence, what was still on its way makes the kernel reset the connection, and the answer may go with it.
            Assert.True(
                answer.StartsWith($"HTTP/1.1 {status} ", StringComparison.Ordinal) || answer.Length == 0 && request.Length > 50_000,
                answer);
        }

        await fixture.Server.RequireItServesAsync();
    }

    [Theory]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [InlineData("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003")]
    [InlineData("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{\"prompt\": ")]
    [InlineData("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Le")]
    public async Task Another_protocol_or_half_a_request_ends_its_connection_only(string bytes)
    {
        using (var connection = await RawConnection.OpenAsync(fixture.Server.Http.Server.HttpAddress))
        {
            await connection.SendAsync(Encoding.Latin1.GetBytes(bytes));
            await connection.FinishAsync();
        }

        await fixture.Server.RequireItServesAsync();
    }

    [Fact]
    public async Task Random_bytes_end_their_connection_only()
    {
        var random = new Random(5);
        for (var round = 0; round < 20; round++)
        {
            var noise = new byte[random.Next(1, 2000)];
            random.NextBytes(noise);
            foreach (var address in (Uri[])[fixture.Server.Http.Server.HttpAddress, fixture.Server.Http.Server.GrpcAddress])
            {
                using var connection = await RawConnection.OpenAsync(address);
                await connection.SendAsync(noise);
                await connection.FinishAsync();
            }
        }

        await fixture.Server.RequireItServesAsync();
    }
}
