#include "relay/message/content.h"

#include <algorithm>
#include <cstring>

#include "core/base/assert.h"

namespace relay {

namespace {

constexpr std::string_view kDot = ".";

// Trimming copies the last chunk, so it must be worth it: also more than a quarter of the message.
constexpr std::size_t kSpareWorthGivingBack = 1024;

iovec part(const char* octets, std::size_t length) {
    return {const_cast<char*>(octets), length};
}

}  // namespace

void Content::reserve(std::size_t octets) {
    if (!chunks_.empty() || octets == 0) return;
    const std::size_t capacity = std::min(octets, kLargestChunk);
    chunks_.push_back({std::make_unique_for_overwrite<char[]>(capacity), 0, capacity});
}

void Content::append(std::string_view octets) {
    size_ += octets.size();
    while (!octets.empty()) {
        if (chunks_.empty() || chunks_.back().used == chunks_.back().capacity) {
            const std::size_t grown = chunks_.empty() ? kFirstChunk : chunks_.back().capacity * 2;
            const std::size_t capacity = std::clamp(grown, kFirstChunk, kLargestChunk);
            chunks_.push_back({std::make_unique_for_overwrite<char[]>(capacity), 0, capacity});
        }
        Chunk& chunk = chunks_.back();
        const std::size_t length = std::min(octets.size(), chunk.capacity - chunk.used);
        std::memcpy(chunk.octets.get() + chunk.used, octets.data(), length);
        chunk.used += length;
        octets.remove_prefix(length);
    }
}

void Content::seal() {
    if (!ends_in_crlf()) {
        const bool half = size_ > 0 && chunks_.back().octets[chunks_.back().used - 1] == '\r';
        append(half ? "\n" : "\r\n");
    }
    Chunk& last = chunks_.back();
    const std::size_t spare = last.capacity - last.used;
    if (spare >= kSpareWorthGivingBack && spare > size_ / 4) {
        auto fitting = std::make_unique_for_overwrite<char[]>(last.used);
        std::memcpy(fitting.get(), last.octets.get(), last.used);
        last.octets = std::move(fitting);
        last.capacity = last.used;
    }
    leading_dots_.shrink_to_fit();
}

std::size_t Content::memory() const {
    std::size_t octets = chunks_.capacity() * sizeof(Chunk);
    octets += leading_dots_.capacity() * sizeof(std::size_t);
    for (const Chunk& chunk : chunks_)
        octets += chunk.capacity;
    return octets;
}

bool Content::ends_in_crlf() const {
    char previous = 0;
    char last = 0;
    int found = 0;
    for (std::size_t i = chunks_.size(); i-- > 0 && found < 2;) {
        for (std::size_t j = chunks_[i].used; j-- > 0 && found < 2; ++found) {
            (found == 0 ? last : previous) = chunks_[i].octets[j];
        }
    }
    return previous == '\r' && last == '\n';
}

void Content::gather(std::vector<iovec>& parts) const {
    for (const Chunk& chunk : chunks_) {
        if (chunk.used > 0) parts.push_back(part(chunk.octets.get(), chunk.used));
    }
}

void Content::gather_stuffed(std::vector<iovec>& parts) const {
    auto dot = leading_dots_.begin();
    std::size_t begin = 0;  // offset of the chunk's first octet
    for (const Chunk& chunk : chunks_) {
        std::size_t done = 0;
        for (; dot != leading_dots_.end() && *dot < begin + chunk.used; ++dot) {
            const std::size_t at = *dot - begin;
            if (at > done) parts.push_back(part(chunk.octets.get() + done, at - done));
            parts.push_back(part(kDot.data(), kDot.size()));
            done = at;
        }
        if (chunk.used > done) parts.push_back(part(chunk.octets.get() + done, chunk.used - done));
        begin += chunk.used;
    }
}

std::string Content::to_string() const {
    return head(size_);
}

std::string Content::head(std::size_t limit) const {
    std::string text;
    text.reserve(std::min(limit, size_));
    for (const Chunk& chunk : chunks_) {
        if (text.size() == limit) break;
        text.append(chunk.octets.get(), std::min(chunk.used, limit - text.size()));
    }
    return text;
}

}  // namespace relay
