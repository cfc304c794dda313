// SmtpPatience: until when a client of SMTP is waited for: RFC 5321 section 4.5.3.2 for one that is
// silent, and limits for one that drips, for strangers and while the listener drains. Pure; owned
// by one SmtpSession, which sets the deadline on its stream. Limits: SmtpTimes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/base/time.h"

namespace relay {

struct SmtpTimes {
    core::Duration idle = std::chrono::seconds(300);             // for the next octets
    core::Duration stranger_session = std::chrono::seconds(60);  // all of it, outside `allow`
    // From DATA or the first BDAT on.
    core::Duration content = std::chrono::hours(1);
    core::Duration content_grace = std::chrono::seconds(60);  // then the rate counts
    std::uint64_t least_rate = 1000;                          // octets a second on average
    core::Duration drain = std::chrono::seconds(2);   // for the next command of an idle client
    core::Duration linger = std::chrono::seconds(1);  // for a client to read why it was cut off
};

class SmtpPatience {
  public:
    SmtpPatience(const SmtpTimes& times, core::Instant opened, bool stranger)
        : times_(times), opened_(opened), stranger_(stranger) {}

    void begin_content(core::Instant now) { content_begun_ = now; }
    void drain() { draining_ = true; }
    bool draining() const { return draining_; }
    // content: octets of the content that is arriving, if some is.
    core::Instant deadline(core::Instant now, std::optional<std::uint64_t> content) const;

  private:
    const SmtpTimes& times_;
    const core::Instant opened_;
    const bool stranger_;
    bool draining_ = false;
    core::Instant content_begun_{};
};

}  // namespace relay
