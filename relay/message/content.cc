#include "relay/message/content.h"

#include <algorithm>
#include <cstring>

#include "core/base/assert.h"

namespace relay {

namespace {

// Trimming copies the last chunk, so it must be worth it: also more than a quarter of the message.
constexpr std::size_t kSpareWorthGivingBack = 1024;

iovec part(const char* octets, std::size_t length) {
    return {const_cast<char*>(octets), length};
}

}  // namespace

Content::Body& Content::body() {
    if (body_ == nullptr) {
        PH_ASSERT(size_ == 0);
        body_ = std::make_shared<Body>();
    }
    PH_ASSERT(body_.use_count() == 1);
    return *body_;
}

Content Content::share() const {
    PH_ASSERT(resident());
    Content shared;
    shared.body_ = body_;
    shared.leading_dots_ = leading_dots_;
    shared.size_ = size_;
    return shared;
}

void Content::mark_leading_dot() {
    body().leading_dots.push_back(size_);
    ++leading_dots_;
}

void Content::reserve(std::size_t octets) {
    if (octets == 0) return;
    std::vector<Chunk>& chunks = body().chunks;
    if (!chunks.empty()) return;
    const std::size_t capacity = std::min(octets, kLargestChunk);
    chunks.push_back({std::make_unique_for_overwrite<char[]>(capacity), 0, capacity});
}

void Content::append(std::string_view octets) {
    std::vector<Chunk>& chunks = body().chunks;
    PH_ASSERT(octets.size() <= kMost - size_);
    size_ += static_cast<std::uint32_t>(octets.size());
    while (!octets.empty()) {
        if (chunks.empty() || chunks.back().used == chunks.back().capacity) {
            const std::size_t grown = chunks.empty() ? kFirstChunk : chunks.back().capacity * 2;
            const std::size_t capacity = std::clamp(grown, kFirstChunk, kLargestChunk);
            chunks.push_back({std::make_unique_for_overwrite<char[]>(capacity), 0, capacity});
        }
        Chunk& chunk = chunks.back();
        const std::size_t length = std::min(octets.size(), chunk.capacity - chunk.used);
        std::memcpy(chunk.octets.get() + chunk.used, octets.data(), length);
        chunk.used += length;
        octets.remove_prefix(length);
    }
}

void Content::seal() {
    if (!ends_in_crlf()) {
        const bool half =
            size_ > 0 && body_->chunks.back().octets[body_->chunks.back().used - 1] == '\r';
        append(half ? "\n" : "\r\n");
    }
    Chunk& last = body_->chunks.back();
    const std::size_t spare = last.capacity - last.used;
    if (spare >= kSpareWorthGivingBack && spare > size_ / 4) {
        auto fitting = std::make_unique_for_overwrite<char[]>(last.used);
        std::memcpy(fitting.get(), last.octets.get(), last.used);
        last.octets = std::move(fitting);
        last.capacity = last.used;
    }
    body_->leading_dots.shrink();
}

void Content::cut(std::size_t begin, std::size_t octets) {
    PH_ASSERT(begin + octets <= size_);
    Body& whole = body();
    std::size_t chunk_begin = 0;
    std::size_t left = octets;
    for (Chunk& chunk : whole.chunks) {
        if (left == 0) break;
        const std::size_t chunk_end = chunk_begin + chunk.used;
        if (begin < chunk_end) {
            char* const at = chunk.octets.get() + (begin - chunk_begin);
            const std::size_t here = std::min(left, chunk_end - begin);
            std::memmove(at, at + here, chunk_end - begin - here);
            chunk.used -= here;
            left -= here;
        }
        chunk_begin += chunk.used;  // what was cut is gone: the rest of it begins here
    }
    std::erase_if(whole.chunks, [](const Chunk& chunk) { return chunk.used == 0; });
    whole.leading_dots.cut(static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(octets));
    leading_dots_ = static_cast<std::uint32_t>(whole.leading_dots.size());
    size_ -= static_cast<std::uint32_t>(octets);
    if (size_ == 0) append("\r\n");  // a content is never empty
}

DotSearch::DotSearch(std::string_view text) : text_(text) {
    if (text.starts_with('.')) offsets_.push_back(0);
}

bool DotSearch::advance(std::size_t octets) {
    const std::size_t end = at_ + std::min(octets, text_.size() - at_);
    // A dot that stands just behind the end of a step belongs to it.
    const std::string_view part = text_.substr(0, std::min(end + 1, text_.size()));
    while ((at_ = part.find("\n.", at_)) != std::string_view::npos)
        offsets_.push_back(static_cast<std::uint32_t>(++at_));
    at_ = end;
    return at_ < text_.size();
}

void Content::restore(std::unique_ptr<char[]> octets, std::size_t size) {
    DotSearch dots(std::string_view(octets.get(), size));
    dots.advance(size);
    restore(std::move(octets), size, dots.take());
}

void Content::restore(std::unique_ptr<char[]> octets, std::size_t size, LeadingDots leading_dots) {
    PH_ASSERT(size <= kMost);
    body_ = std::make_shared<Body>();
    body_->leading_dots = std::move(leading_dots);
    leading_dots_ = static_cast<std::uint32_t>(body_->leading_dots.size());
    size_ = static_cast<std::uint32_t>(size);
    body_->chunks.push_back({std::move(octets), size, size});
}

void Content::declare(std::size_t size, std::uint32_t leading_dots) {
    PH_ASSERT(body_ == nullptr && size_ == 0);
    PH_ASSERT(size <= kMost);
    size_ = static_cast<std::uint32_t>(size);
    leading_dots_ = leading_dots;
}

std::size_t Content::memory() const {
    if (body_ == nullptr) return 0;
    std::size_t octets = sizeof(Body) + body_->chunks.capacity() * sizeof(Chunk);
    octets += body_->leading_dots.memory();
    for (const Chunk& chunk : body_->chunks)
        octets += chunk.capacity;
    return octets;
}

bool Content::ends_in_crlf() const {
    if (body_ == nullptr) return false;
    const std::vector<Chunk>& chunks = body_->chunks;
    char previous = 0;
    char last = 0;
    int found = 0;
    for (std::size_t i = chunks.size(); i-- > 0 && found < 2;) {
        for (std::size_t j = chunks[i].used; j-- > 0 && found < 2; ++found) {
            (found == 0 ? last : previous) = chunks[i].octets[j];
        }
    }
    return previous == '\r' && last == '\n';
}

void Content::gather(std::vector<iovec>& parts) const {
    PH_ASSERT(resident() || size_ == 0);
    if (body_ == nullptr) return;
    for (const Chunk& chunk : body_->chunks) {
        if (chunk.used > 0) parts.push_back(part(chunk.octets.get(), chunk.used));
    }
}

std::string Content::to_string() const {
    return head(size_);
}

std::string Content::head(std::size_t limit) const {
    PH_ASSERT(resident() || size_ == 0);
    std::string text;
    text.reserve(std::min(limit, size()));
    if (body_ == nullptr) return text;
    for (const Chunk& chunk : body_->chunks) {
        if (text.size() == limit) break;
        text.append(chunk.octets.get(), std::min(chunk.used, limit - text.size()));
    }
    return text;
}

}  // namespace relay
