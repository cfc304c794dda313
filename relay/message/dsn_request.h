// What a sender asked for by the DSN extension (RFC 3461): RET and ENVID of a message, NOTIFY and
// ORCPT of a recipient. Plain values; ENVID and ORCPT as they were written (xtext), since they are
// passed on octet by octet (section 5.2.1). Most messages have none of it, so it is kept apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay {

inline constexpr std::size_t kMaxEnvelopeId = 100;         // RFC 3461 section 4.4
inline constexpr std::size_t kMaxOriginalRecipient = 500;  // section 4.2

enum class ReturnContent : std::uint8_t { unsaid, full, headers };

struct DsnEnvelope {
    ReturnContent content = ReturnContent::unsaid;
    std::string envelope_id;  // xtext; empty: none
    bool operator==(const DsnEnvelope&) const = default;
};

// NOTIFY of one recipient. Unsaid: failures are reported, delays may be, success is not.
class Notify {
  public:
    enum : std::uint8_t { kNever = 1, kSuccess = 2, kFailure = 4, kDelay = 8 };

    constexpr Notify() = default;
    constexpr explicit Notify(std::uint8_t bits) : bits_(bits) {}

    bool said() const { return bits_ != 0; }
    bool never() const { return (bits_ & kNever) != 0; }
    bool on_success() const { return (bits_ & kSuccess) != 0; }
    bool on_failure() const { return bits_ == 0 || (bits_ & kFailure) != 0; }
    bool on_delay() const { return bits_ == 0 || (bits_ & kDelay) != 0; }
    std::uint8_t bits() const { return bits_; }
    std::string text() const;  // "SUCCESS,FAILURE"
    bool operator==(const Notify&) const = default;

  private:
    std::uint8_t bits_ = 0;
};

// Of one recipient, as it goes into RCPT.
struct RecipientDsn {
    Notify notify;
    std::string_view original;  // "rfc822;user@example.com", in xtext; empty: none
};

}  // namespace relay
