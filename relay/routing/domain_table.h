// DomainTable: an LRU table of what the Router of an origin shard knows about domains, each once,
// by domain_key(). A domain is idle while nobody waits for it. Idle ones are kept while there is
// room; then the one that was not used for longest goes. Those that are not idle stay: a recipient
// waits for each of them. Owned by the Router, on its shard; a Domain does not move. Cost per call
// flat, whatever their number (tests/unit/routing/many_domains_test.cc). Limit: kMaxIdle idle
// domains; of the others as many as have a recipient in the queue, and memory() is counted against
// memory.limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/intrusive_list.h"
#include "core/base/striped_map.h"
#include "core/base/time.h"
#include "relay/message/message.h"
#include "relay/routing/site.h"

namespace relay {

struct DomainTag;
struct DomainFlow;

enum class DomainState : std::uint8_t {
    idle,       // known, or not asked for
    queued,     // waits for its turn to be resolved
    resolving,  // a lookup is under way
    answering,  // who waited is being told
};

struct Domain final : core::ListLink<DomainTag> {
    std::string_view key;  // of its entry
    DomainState state = DomainState::idle;
    bool null_mx = false;                        // that is the failure
    Site* site = nullptr;                        // known
    std::unique_ptr<const Disposition> failure;  // or known to fail
    core::Instant expires{};
    std::uint64_t generation = 0;  // of the configuration that the above comes from
    DomainFlow* flow = nullptr;    // while queued; see DomainQueue
    core::IntrusiveList<Recipient, RecipientQueueTag> waiting;
};

class DomainTable {
  public:
    static constexpr std::size_t kMaxIdle = 200'000;
    // What an entry takes beside its name: itself, two links of the table, the allocator's share.
    static constexpr std::size_t kDomainOctets = sizeof(Domain) + 96;

    explicit DomainTable(std::size_t most_idle = kMaxIdle) : most_idle_(most_idle) {}
    ~DomainTable();

    // A new one is idle, and nothing is known about it.
    Domain& find_or_add(std::string_view key);
    const Domain* find(std::string_view key) const;

    // idle: it was used just now. Otherwise: it is idle from now on.
    void rest(Domain& domain);
    // It leaves the idle ones; the caller sets its state.
    void wake(Domain& domain);
    // The idle domain that was not used for longest, if there are more than may be kept, or any at
    // all; null: none. forget() it, or call again in vain.
    Domain* surplus() { return idle_count_ > most_idle_ ? oldest() : nullptr; }
    Domain* oldest() { return idle_count_ > 0 ? &idle_.front() : nullptr; }
    void forget(Domain& domain);

    std::size_t size() const { return domains_.size(); }
    std::size_t idle() const { return idle_count_; }
    std::size_t memory() const { return domains_.size() * kDomainOctets + names_; }

  private:
    const std::size_t most_idle_;
    core::StripedMap<Domain> domains_;
    core::IntrusiveList<Domain, DomainTag> idle_;  // the longest unused in front
    std::size_t idle_count_ = 0;
    std::size_t names_ = 0;  // octets
};

}  // namespace relay
