// SevenBit: makes a content with octets above 127 one that every server takes (RFC 6152 section 3),
// before it is signed or committed: leaves of its MIME structure are encoded, and every one of them
// decodes to what it was. Two passes, the first to learn what has to change. advance() does a
// bounded piece of the work, so that the owner can let others run in between; when it answers
// true, take() has the new content, sealed, or nothing: see fault(). Pure. The content given stays
// as it is, must be sealed and in memory, and outlives this. Memory: at most 2.4 times its size
// more, and MimeStructure's limits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "relay/message/content.h"
#include "relay/mime/structure.h"
#include "relay/mime/transfer_encoding.h"

namespace relay {

class SevenBit {
  public:
    explicit SevenBit(const Content& content);

    // Looks at, or writes, about so many octets. True: done.
    bool advance(std::size_t octets);
    MimeFault fault() const { return structure_.fault(); }
    std::optional<Content> take();

  private:
    std::string_view next_piece(std::size_t limit);
    void write(std::string_view octets);
    void encode(const MimeEdit& edit, std::string_view octets);
    void finish(const MimeEdit& edit);
    void flush();

    std::vector<iovec> parts_;
    std::size_t part_ = 0;      // being read
    std::size_t consumed_ = 0;  // of it
    bool writing_ = false;      // the second pass
    bool done_ = false;
    MimeStructure structure_;

    std::size_t size_;
    std::size_t at_ = 0;    // octets of the original written or changed
    std::size_t edit_ = 0;  // the next one
    std::optional<QuotedPrintable> quoted_;
    std::optional<Base64> base64_;
    std::string staged_;  // on its way into the result
    bool line_start_ = true;
    Content result_;
};

}  // namespace relay
