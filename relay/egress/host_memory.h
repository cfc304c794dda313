// HostMemory: what a shard learned about the hosts it sends to, by address and port. Whether one
// answers: after a failure nobody asks it again for a pause that doubles, and then one connection
// does so for everybody, so that N messages and M paths never each wait for the same timeout (RFC
// 5321 section 4.5.4.1). And its habits: after how many messages it closes without a word, and
// which parameters it offers and then refuses. One shard; in memory only.
// Limit: kMostHosts, the longest untouched is forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/time.h"
#include "relay/message/disposition.h"

namespace relay {

struct HostPauses {
    core::Duration first = std::chrono::seconds{10};  // doubles
    core::Duration longest = std::chrono::minutes{5};
};

class HostMemory {
  public:
    static constexpr std::size_t kMostHosts = 50'000;
    // So many connections in a row that end by themselves behind the same number of messages.
    static constexpr unsigned kSameTwice = 2;
    static constexpr core::Duration kBelieveFor = std::chrono::hours{24};

    struct Rest {
        bool resting = false;      // not now
        bool being_tried = false;  // by somebody else, since its pause is over
        core::Instant until{};     // ask again then
        unsigned failures = 0;     // in a row
        Disposition why;           // the last one
    };

    explicit HostMemory(HostPauses pauses = {}) : pauses_(pauses) {}

    // May this host be tried? If so, and it failed before, the caller does so for everybody until
    // `giving_up`, and says what came of it by failed() or answers().
    Rest ask(const std::string& host, core::Instant now, core::Instant giving_up);
    void failed(const std::string& host, core::Instant now, Disposition why);
    void answers(const std::string& host);

    // The host ended a session between two messages without a word, behind so many.
    void closed_silently(const std::string& host, std::size_t messages, core::Instant now);
    // Messages to send in a session before we end it ourselves; 0: no limit is known.
    std::size_t most_messages(const std::string& host, core::Instant now);

    // MAIL and RCPT go without the parameters that can be spared.
    void refuses_parameters(const std::string& host, core::Instant now);
    bool spare_parameters(const std::string& host, core::Instant now);

    std::size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        std::string host;
        unsigned failures = 0;
        core::Instant rest_until{};
        core::Instant tried_until{};  // somebody is at it
        Disposition why;
        std::size_t closed_behind = 0;
        unsigned closed_so = 0;  // in a row
        core::Instant closes_until{};
        core::Instant sparing_until{};
    };
    using Entries = std::list<Entry>;  // touched last in front

    Entry* find(const std::string& host);
    Entry& touch(const std::string& host);

    HostPauses pauses_;
    Entries entries_;
    std::unordered_map<std::string_view, Entries::iterator> by_host_;
};

}  // namespace relay
