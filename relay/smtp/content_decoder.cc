#include "relay/smtp/content_decoder.h"

#include <cstring>

#include "core/base/assert.h"
#include "relay/message/content_limits.h"

namespace relay {

namespace {

struct Octets {
    bool clean;  // every LF after a CR, every CR before an LF, no NUL
    bool eight_bit;
};

// Written for the vectorizer: no branch in the loop. Expects text that starts at the beginning of a
// line and ends in LF.
Octets look_at(std::string_view text) {
    const char* octets = text.data();
    unsigned char high = static_cast<unsigned char>(octets[0]);
    unsigned char foul = octets[0] == '\n' || octets[0] == '\0';
    for (std::size_t i = 1; i < text.size(); ++i) {
        foul |= static_cast<unsigned char>((octets[i] == '\n') != (octets[i - 1] == '\r'));
        foul |= static_cast<unsigned char>(octets[i] == '\0');
        high |= static_cast<unsigned char>(octets[i]);
    }
    return {foul == 0, high >= 0x80};
}

bool has_eight_bit(std::string_view text) {
    unsigned char high = 0;
    for (const char c : text)
        high |= static_cast<unsigned char>(c);
    return high >= 0x80;
}

// How many octets come before the next CR, LF or NUL.
std::size_t text_run(std::string_view text) {
    std::size_t length = 0;
    while (length < text.size() && text[length] != '\r' && text[length] != '\n' &&
           text[length] != '\0') {
        ++length;
    }
    return length;
}

}  // namespace

void ContentDecoder::begin(Content& content, std::uint64_t max_size, BareEndings endings,
                           bool dots) {
    content_ = &content;
    endings_ = endings;
    dots_ = dots;
    max_size_ = max_size;
    place_ = Place::line_start;
    hard_ = true;
    eight_bit_ = false;
    faults_ = 0;
    line_ = 0;
    size_ = 0;
    octets_read_ = 0;
    header_ = {};
    staged_size_ = 0;
}

void ContentDecoder::begin_data(Content& content, std::uint64_t max_size, BareEndings endings) {
    begin(content, max_size, endings, true);
}

void ContentDecoder::begin_chunks(Content& content, std::uint64_t max_size, BareEndings endings) {
    begin(content, max_size, endings, false);
}

std::size_t ContentDecoder::feed_data(std::string_view input) {
    PH_ASSERT(dots_);
    return take(input);
}

void ContentDecoder::feed_chunk(std::string_view input) {
    PH_ASSERT(!dots_);
    take(input);
}

void ContentDecoder::end_chunks() {
    if (place_ != Place::cr) return;
    if (endings_ == BareEndings::reject) {
        note(ContentFault::bare_line_ending);
    } else {
        put(' ');
    }
    flush_staged();
    place_ = Place::text;
}

ContentFault ContentDecoder::fault() const {
    unsigned faults = faults_;
    if (header_.received_fields() >= kMaxReceivedFields) {
        faults |= static_cast<unsigned>(ContentFault::loop);
    }
    using Beginning = HeaderScan::Beginning;
    const Beginning beginning = header_.beginning();
    if (header_.ended() &&
        (beginning == Beginning::byte_order_mark || beginning == Beginning::mbox_line)) {
        faults |= static_cast<unsigned>(ContentFault::no_header);
    }
    return static_cast<ContentFault>(faults & (~faults + 1));
}

// Whole lines that are clean go fast, the rest octet by octet: the beginning and the end of a piece
// of input that cuts lines, and everything in a piece that holds something foul.
std::size_t ContentDecoder::take(std::string_view input) {
    std::string_view rest = input;
    while (!rest.empty() && place_ != Place::end) {
        std::size_t used = 0;
        if (place_ == Place::line_start) {
            const std::size_t last = rest.rfind('\n');
            const std::string_view lines =
                last == std::string_view::npos ? std::string_view{} : rest.substr(0, last + 1);
            used = lines.empty() ? 0 : take_lines(lines);
            if (used == 0) used = take_octets(rest, false);
        } else {
            used = take_octets(rest, true);
        }
        rest.remove_prefix(used);
    }
    const std::size_t used = input.size() - rest.size();
    octets_read_ += used;
    return used;
}

// Answers 0 and changes nothing when the lines are not clean.
std::size_t ContentDecoder::take_lines(std::string_view lines) {
    const Octets octets = look_at(lines);
    if (!octets.clean) return 0;
    std::size_t kept = 0;  // before this, everything is in the content
    std::size_t at = 0;
    while (at < lines.size()) {
        std::size_t begin = at;
        const void* found = std::memchr(lines.data() + at, '\n', lines.size() - at);
        at = static_cast<std::size_t>(static_cast<const char*>(found) - lines.data()) + 1;
        if (lines[begin] == '.') {
            emit(lines.substr(kept, begin - kept));
            kept = begin;
            if (dots_) {
                kept = ++begin;
                if (at - begin == 2) {
                    place_ = Place::end;
                    kept = at;
                    break;
                }
            }
            if (lines[begin] == '.' && faults_ == 0) content_->mark_leading_dot();
        }
        if (at - begin > kMaxContentLine + 2) note(ContentFault::line_too_long);
    }
    emit(lines.substr(kept, at - kept));
    eight_bit_ = eight_bit_ || (octets.eight_bit && has_eight_bit(lines.substr(0, at)));
    return at;
}

std::size_t ContentDecoder::take_octets(std::string_view input, bool stop_at_line_start) {
    std::size_t used = 0;
    while (used < input.size() && place_ != Place::end) {
        if (stop_at_line_start && place_ == Place::line_start) break;
        if (place_ == Place::text) {
            const std::size_t run = text_run(input.substr(used));
            take_run(input.substr(used, run));
            used += run;
            if (used == input.size()) break;
        }
        const char c = input[used++];
        if (static_cast<unsigned char>(c) >= 0x80) eight_bit_ = true;
        place_ = step(c);
    }
    flush_staged();
    return used;
}

// Octets in the middle of a line that mean nothing but themselves.
void ContentDecoder::take_run(std::string_view run) {
    if (run.empty()) return;
    flush_staged();
    emit(run);
    line_ += run.size();
    if (line_ > kMaxContentLine) note(ContentFault::line_too_long);
    eight_bit_ = eight_bit_ || has_eight_bit(run);
}

ContentDecoder::Place ContentDecoder::step(char c) {
    switch (place_) {
        case Place::line_start:
        case Place::soft_line_start:
            return step_at_line_start(c);
        case Place::dot:
            if (c == '\r') return Place::dot_cr;
            return c == '.' ? leading_dot() : step_in_text(c);  // the first dot is stuffing
        case Place::dot_cr:
            if (c != '\n') return bare_cr(c);
            if (hard_) return Place::end;
            end_line();
            return Place::line_start;
        case Place::text:
            return step_in_text(c);
        case Place::cr:
            if (c != '\n') return bare_cr(c);
            end_line();
            return Place::line_start;
        case Place::end:
            break;
    }
    PH_ASSERT(false);
    return Place::end;
}

ContentDecoder::Place ContentDecoder::step_at_line_start(char c) {
    if (c != '.') return step_in_text(c);
    if (!dots_) return leading_dot();
    hard_ = place_ == Place::line_start;
    return Place::dot;
}

ContentDecoder::Place ContentDecoder::step_in_text(char c) {
    const bool reject = endings_ == BareEndings::reject;
    if (c == '\r') return Place::cr;
    if (c == '\n') {
        if (reject) {
            note(ContentFault::bare_line_ending);
        } else {
            end_line();
        }
        return Place::soft_line_start;
    }
    if (c == '\0' && reject) note(ContentFault::nul);
    put(c == '\0' ? ' ' : c);
    return Place::text;
}

// The octet before was a CR, and no LF came.
ContentDecoder::Place ContentDecoder::bare_cr(char next) {
    if (endings_ == BareEndings::reject) {
        note(ContentFault::bare_line_ending);
    } else {
        put(' ');
    }
    return step_in_text(next);
}

ContentDecoder::Place ContentDecoder::leading_dot() {
    flush_staged();
    if (faults_ == 0) content_->mark_leading_dot();
    put('.');
    return Place::text;
}

void ContentDecoder::put(char c) {
    if (staged_size_ == staged_.size()) flush_staged();
    staged_[staged_size_++] = c;
    if (++line_ > kMaxContentLine) note(ContentFault::line_too_long);
}

void ContentDecoder::end_line() {
    if (staged_size_ + 2 > staged_.size()) flush_staged();
    staged_[staged_size_++] = '\r';
    staged_[staged_size_++] = '\n';
    line_ = 0;
}

void ContentDecoder::flush_staged() {
    emit({staged_.data(), staged_size_});
    staged_size_ = 0;
}

void ContentDecoder::emit(std::string_view octets) {
    if (octets.empty()) return;
    size_ += octets.size();
    header_.feed(octets);
    if (size_ > max_size_) note(ContentFault::too_big);
    if (faults_ == 0) content_->append(octets);
}

void ContentDecoder::note(ContentFault fault) {
    if (faults_ == 0) *content_ = {};  // it will be refused: give the memory back now
    faults_ |= static_cast<std::uint8_t>(fault);
}

}  // namespace relay
