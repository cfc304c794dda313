// InputPieces: what arrived on one stream and was not read yet, in order. A piece lies in a
// provided buffer of the shard or, where those are scarce, in memory of the stream: copied, and the
// buffer is given back at once, so that no stream can keep the others from being read. A piece that
// the reader looks at does not move. Part of a TcpStream, on its shard. Limits: kMost for each
// party; full() asks the stream to pause, and has_room() says when to go on.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "core/io/shard.h"

namespace core {

class InputPieces {
  public:
    struct Limits {
        std::size_t buffers;  // of the shard
        std::size_t octets;   // in memory of the stream
    };
    static constexpr std::array<Limits, kParties> kMost{
        {{1, 8U << 10}, {4, 64U << 10}, {4, 64U << 10}}};

    InputPieces(Shard& shard, Party party) : shard_(shard), party_(party) {}
    ~InputPieces() { clear(); }
    InputPieces(const InputPieces&) = delete;
    InputPieces& operator=(const InputPieces&) = delete;

    // What a receive put into a provided buffer, which is ours from now on.
    void add(int buffer, std::size_t length);
    bool empty() const { return pieces_.empty(); }
    std::string_view front() const;  // of the first piece, what was not consumed
    void consume(std::size_t length);
    void clear();

    bool full() const { return buffers_ >= limits().buffers || octets_ >= limits().octets; }
    bool has_room() const {
        return buffers_ <= limits().buffers / 2 && octets_ <= limits().octets / 2;
    }
    Party party() const { return party_; }

  private:
    struct Piece {
        char* octets;
        std::size_t length;
        std::size_t capacity;  // of own
        std::unique_ptr<char[]> own;
        int buffer;  // kNoBuffer: own
    };
    static constexpr std::size_t kSmallest = 2048;  // of own memory: small pieces are joined

    const Limits& limits() const { return kMost[static_cast<std::size_t>(party_)]; }
    void copy(std::string_view octets);
    void release(const Piece& piece);

    Shard& shard_;
    const Party party_;
    std::vector<Piece> pieces_;
    std::size_t front_offset_ = 0;
    std::size_t buffers_ = 0;
    std::size_t octets_ = 0;  // capacity of own memory
};

}  // namespace core
