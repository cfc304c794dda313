#include "relay/message/content_cursor.h"

#include <algorithm>

#include "core/base/assert.h"

namespace relay {

namespace {

constexpr std::string_view kDot = ".";

}  // namespace

ContentCursor::ContentCursor(const Content& content, Form form)
    : content_(content), stuffs_(form == Form::stuffed && content.leading_dots_ > 0) {
    PH_ASSERT(content.resident() || content.size() == 0);
    while (!done() && content_.body_->chunks[chunk_].used == 0)
        ++chunk_;
}

std::size_t ContentCursor::chunks() const {
    return content_.body_ == nullptr ? 0 : content_.body_->chunks.size();
}

ContentCursor::Run ContentCursor::run() const {
    const Content::Chunk& chunk = content_.body_->chunks[chunk_];
    Run run{chunk.octets.get() + offset_, chunk.used - offset_, false};
    if (!stuffs_) return run;
    const auto& dots = content_.body_->leading_dots;
    std::size_t next = dot_;
    if (next < dots.size() && dots[next] == at_) {
        run.dot_before = !doubled_;
        ++next;
    }
    if (next < dots.size()) run.length = std::min(run.length, dots[next] - at_);
    return run;
}

void ContentCursor::advance(std::size_t length) {
    if (stuffs_) {
        const auto& dots = content_.body_->leading_dots;
        if (dot_ < dots.size() && dots[dot_] == at_) ++dot_;
        doubled_ = false;
    }
    at_ += length;
    offset_ += length;
    while (!done() && offset_ == content_.body_->chunks[chunk_].used) {
        ++chunk_;
        offset_ = 0;
    }
}

void ContentCursor::next(std::vector<iovec>& parts) {
    if (stuffs_ && content_.leading_dots_ > content_.size() / kDenseDots) return copy_slice(parts);
    std::size_t octets = 0;
    for (std::size_t count = 0; !done() && count < kMaxParts && octets < kMaxOctets; ++count) {
        const Run here = run();
        if (here.dot_before) {
            parts.push_back({const_cast<char*>(kDot.data()), kDot.size()});
            doubled_ = true;
            ++octets;
            continue;
        }
        const std::size_t length = std::min(here.length, kMaxOctets - octets);
        parts.push_back({const_cast<char*>(here.octets), length});
        octets += length;
        advance(length);
    }
}

void ContentCursor::copy_slice(std::vector<iovec>& parts) {
    copied_.clear();
    copied_.reserve(kCopiedOctets);
    while (!done() && copied_.size() + 1 < kCopiedOctets) {
        const Run here = run();
        if (here.dot_before) copied_.append(kDot);
        const std::size_t length = std::min(here.length, kCopiedOctets - copied_.size());
        copied_.append(here.octets, length);
        advance(length);
    }
    if (!copied_.empty()) parts.push_back({copied_.data(), copied_.size()});
}

std::string stuffed_text(const Content& content) {
    std::string text;
    std::vector<iovec> parts;
    for (ContentCursor cursor(content, ContentCursor::Form::stuffed); !cursor.done();) {
        parts.clear();
        cursor.next(parts);
        for (const iovec& part : parts)
            text.append(static_cast<const char*>(part.iov_base), part.iov_len);
    }
    return text;
}

}  // namespace relay
