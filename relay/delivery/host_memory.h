// HostMemory: what a shard learned about the hosts it sends to, by address and port. Whether one
// answers: after a failure nobody asks it again for a pause that doubles, and then one connection
// does so for everybody, so that N messages and M paths never each wait for the same timeout (RFC
// 5321 section 4.5.4.1). A host that worked within kLately does not rest: its failure is a sample,
// and the paths slow down (outage.h). And its habits, by name and port: after how many messages it
// closes without a word (session_cap.h), which parameters it offers and then refuses, whether it
// knows nothing but HELO (belief.h). One shard; in memory only.
// Limit: kMostHosts, the longest untouched is forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/time.h"
#include "relay/delivery/belief.h"
#include "relay/delivery/recent_hosts.h"
#include "relay/delivery/session_cap.h"
#include "relay/message/disposition.h"

namespace relay {

struct HostPauses {
    core::Duration first = std::chrono::seconds{10};  // doubles
    core::Duration longest = std::chrono::minutes{5};
};

class HostMemory {
  public:
    static constexpr std::size_t kMostHosts = 50'000;
    static constexpr core::Duration kLately = std::chrono::seconds{30};

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
    // True: it rests from now on.
    bool failed(const std::string& host, core::Instant now, Disposition why);
    void answers(const std::string& host, core::Instant now);
    bool worked_lately(const std::string& host, core::Instant now);

    // The habits of a host; the reference is valid until the next call.
    struct Habits {
        SessionCap cap;
        Belief refuses_parameters;
        Belief helo_only;
    };
    Habits& habits(const std::string& host) { return hosts_.touch(host).habits; }
    // Null: nothing is known.
    Habits* known_habits(const std::string& host);

    // Of the hosts touched last, so many of them, what outlives the process.
    void add_learned(Learned& learned, std::size_t most, core::Instant now, core::WallTime wall) {
        hosts_.each_of(most, [&](const std::string& host, const Known& known) {
            learned.add(host, known.habits.cap.learned(now), wall);
        });
    }

    std::size_t size() const { return hosts_.size(); }

  private:
    struct Known {
        unsigned failures = 0;
        core::Instant rest_until{};
        core::Instant tried_until{};  // somebody is at it
        std::optional<core::Instant> worked{};
        Disposition why;
        Habits habits;
    };
    HostPauses pauses_;
    RecentHosts<Known> hosts_{kMostHosts};
};

}  // namespace relay
