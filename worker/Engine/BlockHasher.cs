using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Cluster.Worker.Engine;

/// <summary>Hashes blocks of token ids for the prefix cache. Called by <see cref="Scheduler"/>.</summary>
/// <remarks>SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF") under a key only this process
/// knows. A wrong hit would leak one user's text into another's answer, so a client must not be able to build two prompts that collide;
/// an unkeyed fast hash gives no such promise.</remarks>
internal sealed class BlockHasher(ulong key0, ulong key1)
{
    /// <summary>A hasher under a fresh random key.</summary>
    public static BlockHasher Create()
    {
        Span<ulong> key = stackalloc ulong[2];
        Guid.NewGuid().TryWriteBytes(MemoryMarshal.AsBytes(key));
        return new BlockHasher(key[0], key[1]);
    }

    /// <summary>Hash of a block: its parent's hash followed by its token ids.</summary>
    public BlockHash Hash(BlockHash parent, ReadOnlySpan<int> tokenIds)
    {
        var state = new State(key0, key1);
        state.Absorb(parent.Low);
        state.Absorb(parent.High);
        return state.Finish(MemoryMarshal.AsBytes(tokenIds), 2 * sizeof(ulong));
    }

    /// <summary>What stands for the parent of the first block of sequences with this salt. The message begins as no block's does, whose
    /// parent would have to be all ones, so a salt cannot be made to continue another prompt.</summary>
    public BlockHash HashSalt(string salt)
    {
        var state = new State(key0, key1);
        state.Absorb(ulong.MaxValue);
        state.Absorb(ulong.MaxValue);
        return state.Finish(Encoding.UTF8.GetBytes(salt), 2 * sizeof(ulong));
    }

    /// <summary>Plain SipHash-2-4-128 of bytes.</summary>
    public BlockHash Hash(ReadOnlySpan<byte> bytes) => new State(key0, key1).Finish(bytes, 0);

    private ref struct State
    {
        private ulong _v0;
        private ulong _v1;
        private ulong _v2;
        private ulong _v3;

        public State(ulong key0, ulong key1)
        {
            _v0 = 0x736f6d6570736575 ^ key0;
            _v1 = 0x646f72616e646f6d ^ key1 ^ 0xee;
            _v2 = 0x6c7967656e657261 ^ key0;
            _v3 = 0x7465646279746573 ^ key1;
        }

        public void Absorb(ulong word)
        {
            _v3 ^= word;
            Round();
            Round();
            _v0 ^= word;
        }

        /// <param name="bytes">The message's rest.</param>
        /// <param name="absorbed">Bytes absorbed before; part of the length the hash ends with.</param>
        public BlockHash Finish(ReadOnlySpan<byte> bytes, int absorbed)
        {
            var length = (ulong)(bytes.Length + absorbed);
            for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            {
                Absorb(MemoryMarshal.Read<ulong>(bytes));
            }

            var last = length << 56;
            for (var i = 0; i < bytes.Length; i++)
            {
                last |= (ulong)bytes[i] << (8 * i);
            }

            Absorb(last);
            _v2 ^= 0xee;
            var low = Squeeze();
            _v1 ^= 0xdd;
            return new BlockHash(low, Squeeze());
        }

        private ulong Squeeze()
        {
            Round();
            Round();
            Round();
            Round();
            return _v0 ^ _v1 ^ _v2 ^ _v3;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Round()
        {
            _v0 += _v1;
            _v2 += _v3;
            _v1 = BitOperations.RotateLeft(_v1, 13) ^ _v0;
            _v3 = BitOperations.RotateLeft(_v3, 16) ^ _v2;
            _v0 = BitOperations.RotateLeft(_v0, 32);
            _v2 += _v1;
            _v0 += _v3;
            _v1 = BitOperations.RotateLeft(_v1, 17) ^ _v2;
            _v3 = BitOperations.RotateLeft(_v3, 21) ^ _v0;
            _v2 = BitOperations.RotateLeft(_v2, 32);
        }
    }
}
