using Cluster.Worker.Serving.Grpc.Framing;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Cluster.Worker.Tests.Serving.Grpc.Framing;

public sealed class CallMetadataTests
{
    [Fact]
    public void Text_keys_are_found_whatever_their_case()
    {
        var metadata = Metadata(("x-tenant", "red"));

        Assert.Equal("red", metadata.Get("X-Tenant"));
        Assert.Null(metadata.Get("x-other"));
    }

    [Theory]
    [InlineData("grpc-timeout")]
    [InlineData("te")]
    [InlineData("content-type")]
    [InlineData("trace-bin")]
    public void The_protocols_own_headers_and_binary_keys_are_no_text_metadata(string key) =>
        Assert.Null(Metadata((key, "value")).Get(key));

    [Fact]
    public void Binary_values_come_with_and_without_padding_in_one_header_or_several()
    {
        var metadata = Metadata(("trace-bin", "AQ==, AQI"), ("trace-bin", "AQID"));

        Assert.Equal([[1], [1, 2], [1, 2, 3]], metadata.GetBinary("trace-bin"));
        Assert.Empty(metadata.GetBinary("other-bin"));
    }

    [Fact]
    public void A_binary_value_that_is_not_base64_names_its_key()
    {
        var failure = Assert.Throws<GrpcException>(() => Metadata(("trace-bin", "*")).GetBinary("trace-bin"));

        Assert.Equal(StatusCode.Internal, failure.Status);
        Assert.Contains("trace-bin", failure.Message);
    }

    private static CallMetadata Metadata(params (string Key, string Value)[] entries)
    {
        var headers = new HeaderDictionary();
        foreach (var (key, value) in entries)
        {
            headers.Append(key, value);
        }

        return new CallMetadata(headers);
    }
}
