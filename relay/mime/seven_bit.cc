#include "relay/mime/seven_bit.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace relay {

namespace {

constexpr std::size_t kStage = 16 * 1024;

}  // namespace

SevenBit::SevenBit(const Content& content) : size_(content.size()) {
    PH_ASSERT(content.resident());
    content.gather(parts_);
}

bool SevenBit::advance(std::size_t octets) {
    while (octets > 0 && !done_) {
        const std::string_view piece = next_piece(std::min(octets, kStage));
        octets -= piece.size();
        if (!writing_) {
            if (piece.empty()) structure_.end();
            structure_.feed(piece);
            done_ = structure_.fault() != MimeFault::none;
        } else if (!piece.empty()) {
            write(piece);
        }
        if (!piece.empty()) continue;
        done_ = done_ || writing_;
        writing_ = true;
        part_ = consumed_ = 0;
    }
    return done_;
}

std::optional<Content> SevenBit::take() {
    PH_ASSERT(done_);
    if (fault() != MimeFault::none) return std::nullopt;
    PH_ASSERT(at_ == size_ && edit_ == structure_.edits().size());
    flush();
    result_.seal();
    return std::move(result_);
}

std::string_view SevenBit::next_piece(std::size_t limit) {
    while (part_ < parts_.size()) {
        const auto* octets = static_cast<const char*>(parts_[part_].iov_base);
        const std::size_t length = std::min(limit, parts_[part_].iov_len - consumed_);
        if (length > 0) {
            const std::string_view piece(octets + consumed_, length);
            consumed_ += length;
            return piece;
        }
        ++part_;
        consumed_ = 0;
    }
    return {};
}

void SevenBit::write(std::string_view octets) {
    const std::vector<MimeEdit>& edits = structure_.edits();
    while (!octets.empty()) {
        std::size_t length = octets.size();
        const MimeEdit* edit = edit_ < edits.size() ? &edits[edit_] : nullptr;
        if (edit == nullptr || at_ < edit->begin) {
            if (edit != nullptr) length = std::min(length, edit->begin - at_);
            staged_ += octets.substr(0, length);
        } else {
            length = std::min(length, edit->end - at_);
            if (length > 0) encode(*edit, octets.substr(0, length));
        }
        at_ += length;
        octets.remove_prefix(length);
        if (edit != nullptr && at_ == edit->end && at_ >= edit->begin) {
            finish(*edit);
            ++edit_;
        }
        if (staged_.size() >= kStage) flush();
    }
}

void SevenBit::encode(const MimeEdit& edit, std::string_view octets) {
    using Kind = MimeEdit::Kind;
    switch (edit.kind) {
        case Kind::replace:
            break;
        case Kind::quoted_printable:
        case Kind::mend:
            if (!quoted_) {
                quoted_.emplace(edit.kind == Kind::mend ? QuotedPrintable::Input::mend
                                                        : QuotedPrintable::Input::text);
            }
            quoted_->feed(octets, staged_);
            break;
        case Kind::base64:
            if (!base64_) base64_.emplace();
            base64_->feed(octets, staged_);
            break;
        case Kind::mask:
            for (const char c : octets)
                staged_ += static_cast<unsigned char>(c) < 0x80 ? c : '?';
            break;
    }
}

void SevenBit::finish(const MimeEdit& edit) {
    staged_ += edit.text;
    if (quoted_) quoted_->finish(staged_);
    quoted_.reset();
    if (!base64_) return;
    base64_->finish(staged_);
    base64_.reset();
    if (at_ == size_) staged_ += "\r\n";
}

// Into the result, with leading dots marked.
void SevenBit::flush() {
    std::string_view rest = staged_;
    std::size_t run = 0;  // octets of rest that are looked at and not appended yet
    while (run < rest.size()) {
        if (line_start_ && rest[run] == '.') {
            result_.append(rest.substr(0, run));
            rest.remove_prefix(run);
            run = 0;
            result_.mark_leading_dot();
        }
        const std::size_t end = rest.find('\n', run);
        line_start_ = end != std::string_view::npos;
        run = line_start_ ? end + 1 : rest.size();
    }
    result_.append(rest);
    staged_.clear();
}

}  // namespace relay
