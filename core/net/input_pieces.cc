#include "core/net/input_pieces.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace core {

void InputPieces::add(int buffer, std::size_t length) {
    IoBackend& io = shard_.io();
    const std::string_view octets = io.buffer(buffer, length);
    if (io.buffers_scarce()) {
        copy(octets);
        io.recycle(buffer);
        return;
    }
    ++buffers_;
    pieces_.push_back({const_cast<char*>(octets.data()), length, 0, nullptr, buffer});
}

void InputPieces::copy(std::string_view octets) {
    shard_.io().note_copied(octets.size());
    if (!pieces_.empty() && pieces_.back().own != nullptr) {
        Piece& last = pieces_.back();
        const std::size_t step = std::min(octets.size(), last.capacity - last.length);
        std::memcpy(last.octets + last.length, octets.data(), step);
        last.length += step;
        octets.remove_prefix(step);
    }
    if (octets.empty()) return;
    const std::size_t capacity = std::max(octets.size(), kSmallest);
    auto own = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(own.get(), octets.data(), octets.size());
    char* const at = own.get();
    pieces_.push_back({at, octets.size(), capacity, std::move(own), kNoBuffer});
    octets_ += capacity;
    shard_.held_input().add(party_, capacity);
}

std::string_view InputPieces::front() const {
    const Piece& piece = pieces_.front();
    return std::string_view(piece.octets, piece.length).substr(front_offset_);
}

void InputPieces::release(const Piece& piece) {
    if (piece.buffer != kNoBuffer) {
        --buffers_;
        shard_.io().recycle(piece.buffer);
    } else {
        octets_ -= piece.capacity;
        shard_.held_input().remove(party_, piece.capacity);
    }
}

void InputPieces::consume(std::size_t length) {
    front_offset_ += length;
    std::size_t gone = 0;
    while (gone < pieces_.size() && front_offset_ >= pieces_[gone].length) {
        front_offset_ -= pieces_[gone].length;
        release(pieces_[gone]);
        ++gone;
    }
    if (gone > 0) {
        pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(gone));
    }
    PH_ASSERT(!pieces_.empty() || front_offset_ == 0);
}

void InputPieces::clear() {
    for (const Piece& piece : pieces_)
        release(piece);
    pieces_.clear();
    front_offset_ = 0;
}

}  // namespace core
