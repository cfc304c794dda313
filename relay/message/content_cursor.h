// ContentCursor: walks a sealed content from front to back and gives it away in slices for gathered
// writes, as it is (BDAT) or with leading dots doubled (DATA; RFC 5321 section 4.5.2; without the
// final dot). What a send holds is one slice, whatever the content: parts point into the content,
// and where most lines begin with a dot into one buffer of the cursor. Pure; owned by the dialogue
// that sends. A slice is valid until the next call; the content must outlive the cursor.
// Limits: kMaxParts parts and kMaxOctets octets a slice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/uio.h>

#include "relay/message/content.h"

namespace relay {

class ContentCursor {
  public:
    static constexpr std::size_t kMaxParts = 256;  // with its commands one sendmsg takes them
    static constexpr std::size_t kMaxOctets = 256 * 1024;
    // More dots than one in so many octets: copying is cheaper than two parts a line.
    static constexpr std::size_t kDenseDots = 128;
    static constexpr std::size_t kCopiedOctets = 64 * 1024;  // of a slice of such a content

    enum class Form : std::uint8_t { plain, stuffed };

    ContentCursor(const Content& content, Form form);

    bool done() const { return chunk_ == chunks(); }
    // Appends the next slice.
    void next(std::vector<iovec>& parts);

  private:
    // The octets from here to the end of the chunk or to the next dot that is to be doubled.
    struct Run {
        const char* octets;
        std::size_t length;
        bool dot_before;  // one more goes before them
    };
    std::size_t chunks() const;
    Run run() const;
    void advance(std::size_t length);
    void copy_slice(std::vector<iovec>& parts);

    const Content& content_;
    const bool stuffs_;
    std::size_t chunk_ = 0;
    std::size_t offset_ = 0;  // in the chunk
    std::size_t at_ = 0;      // in the content
    std::size_t dot_ = 0;     // the next of the leading dots
    bool doubled_ = false;    // the dot here has its companion already
    std::string copied_;
};

// All of it as DATA sends it; for tests and small messages.
std::string stuffed_text(const Content& content);

}  // namespace relay
