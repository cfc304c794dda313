// SessionCounts: counts the openings of TLS sessions for reports (RFC 8460), one per shard. A
// connection says how each of its openings ended (TlsOpening), and for which domains it was made;
// what that means to a domain is judged here by the policy that counts for it: the host's TLSA
// records, else its MTA-STS policy (in mode testing too), else none. The counts are handed over to
// a TallyTaker on one shard by letter, every kHandOverEvery and at the end. What is not handed over
// yet when the process dies was not counted. Limits: those of TlsTally.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"
#include "relay/security/sts_store.h"
#include "relay/tlsrpt/tally.h"

namespace relay {

struct DaneFacts {
    std::string base;                  // TLSA base domain
    std::vector<std::string> records;  // as text
    bool usable = false;               // some of them is
};

struct TlsOpening {
    std::optional<TlsFailureType> failure;  // none: the session is encrypted as was wished
    // Encrypted; what MTA-STS would mind about the certificate.
    std::optional<TlsFailureType> certificate;
    std::string reason;
    std::string host;
    std::string sending_ip;
    std::string receiving_ip;
    std::optional<DaneFacts> dane;  // the host has TLSA records, or they could not be had
};

// Receives the counts of all shards.
class TallyTaker {
  public:
    virtual ~TallyTaker() = default;
    // last: there comes no more from that shard.
    virtual void take(std::unique_ptr<TlsTally> tally, bool last) = 0;
};

class SessionCounts {
  public:
    static constexpr core::Duration kHandOverEvery = std::chrono::seconds{10};

    SessionCounts(core::Shard& shard, StsStore& store) : shard_(shard), store_(store) {}

    // domain: of a recipient, as written.
    void count(std::string_view domain, std::span<const TlsOpening> openings);
    // taker lives on that shard and outlives the letters.
    void hand_over(std::size_t to, TallyTaker& taker, bool last);
    core::Task<void> keep_handing_over(std::size_t to, TallyTaker* taker, core::Event* stop);

    const TlsTally& tally() const { return *tally_; }

  private:
    core::Shard& shard_;
    StsStore& store_;
    std::unique_ptr<TlsTally> tally_ = std::make_unique<TlsTally>();
};

}  // namespace relay
