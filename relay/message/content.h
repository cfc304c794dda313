// Content: the immutable octets of one message (header section with our Received first, CRLF lines,
// not dot-stuffed) in chunks of memory, plus the offsets of lines that begin with a dot, so that
// sending by DATA gathers straight from it (content_cursor.h; RFC 5321 section 4.5.2).
// Built on the origin shard by append(), frozen by seal(), then read by the home shard of a path,
// and freed by the origin only. Several contents may share their octets. Pure. Invariant: after
// seal() it ends in CRLF. A sealed content may leave memory by evict() (the spool has it) and come
// back by restore(); its sizes stay known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/uio.h>

#include "relay/message/leading_dots.h"

namespace relay {

// Finds the lines of a text that begin with a dot, in steps of so many octets.
class DotSearch {
  public:
    explicit DotSearch(std::string_view text);
    // True: there is more.
    bool advance(std::size_t octets);
    LeadingDots take() { return std::move(offsets_); }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
    LeadingDots offsets_;
};

class Content {
  public:
    static constexpr std::size_t kFirstChunk = 4096;
    static constexpr std::size_t kLargestChunk = 65536;
    static constexpr std::size_t kMost = 0xffff'ffff;  // octets; listeners take a quarter of it

    // Room for so many octets in one chunk, e.g. from MAIL's SIZE; capped at kLargestChunk.
    void reserve(std::size_t octets);
    void append(std::string_view octets);
    // The next octet to be appended is a dot at the beginning of a line.
    void mark_leading_dot();
    // Takes octets out, of a sealed content that nobody shares yet: whole lines, not at its end.
    void cut(std::size_t begin, std::size_t octets);
    // Ends building: the last line gets a CRLF if it has none, much spare memory is given back.
    void seal();

    std::size_t size() const { return size_; }  // octets, without stuffing
    std::size_t stuffed_size() const { return size_ + leading_dots_; }
    std::size_t memory() const;  // octets held
    bool ends_in_crlf() const;

    // The same octets in another content. Either may be evicted or freed, and neither is written to
    // any more. Both are of one origin shard. Sealed and in memory only.
    Content share() const;

    bool resident() const { return body_ != nullptr; }
    void evict() { body_.reset(); }
    // The octets as sealed, of size() or, in a content made anew, any size; finds the leading dots.
    void restore(std::unique_ptr<char[]> octets, std::size_t size);
    // With the dots that DotSearch found in it.
    void restore(std::unique_ptr<char[]> octets, std::size_t size, LeadingDots leading_dots);
    // A content that was not read yet: its sizes only.
    void declare(std::size_t size, std::uint32_t leading_dots);
    std::uint32_t leading_dots() const { return leading_dots_; }

    // All octets as they are, one part for each chunk.
    void gather(std::vector<iovec>& parts) const;
    std::string to_string() const;  // tests and small messages
    // Copies the first octets, e.g. to look at the header section.
    std::string head(std::size_t limit) const;

  private:
    friend class ContentCursor;
    struct Chunk {
        std::unique_ptr<char[]> octets;
        std::size_t used = 0;
        std::size_t capacity = 0;
    };
    struct Body {
        std::vector<Chunk> chunks;
        LeadingDots leading_dots;
    };
    Body& body();

    std::shared_ptr<Body> body_;  // null: empty, or evicted
    std::uint32_t leading_dots_ = 0;
    std::uint32_t size_ = 0;
};

}  // namespace relay
