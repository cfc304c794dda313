// Detours: mail that one host, or one family of addresses, does not take goes once more where it
// may be taken. What a host lacks an extension for (SIZE, 8BITMIME, SMTPUTF8) goes to hosts that
// may have it; the refusal is final when none does. A 5yz with x.7.z to MAIL goes to the other
// family of addresses, as policies are often about the address we come from; once, and for a while
// not at all when that family is no better. Each recipient keeps its refusal, for the case that
// nobody else takes it either. Owned by the path, on its shard; holds the contents of its
// recipients. Limits: one connection at a time; kMaxDetours of a recipient in an attempt; what
// dns::kMaxMxHosts hosts offer, the oldest is forgotten.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "relay/delivery/worker.h"
#include "relay/path/ready_queue.h"
#include "relay/routing/site.h"
#include "relay/smtp/extensions.h"

namespace relay {

class Detours {
  public:
    static constexpr core::Duration kBelieveOffersFor = std::chrono::minutes{10};
    static constexpr core::Duration kAskFamilyAgain = std::chrono::minutes{1};
    static constexpr std::size_t kMaxDetours = dns::kMaxMxHosts;

    struct Moment {
        core::Instant now;
        core::WallTime wall;
    };

    // site: of the path; outlives this, and changes with a reload.
    explicit Detours(const SiteFacts& site) : site_(site) {}

    // What a host offered in a session that began.
    void note_offer(const std::string& endpoint, const Extensions& offered, core::Instant now);
    // Whether a recipient that was refused may be taken elsewhere. made: the detour that led to
    // that refusal; null: none did.
    bool may_help(Recipient& recipient, const Disposition& refusal, const Detour* made,
                  Moment moment);
    // Its content is held.
    void add(Recipient& recipient, Disposition refusal);
    // The same for one that waited here before.
    void add_again(Recipient& recipient) { waiting_.push_back(recipient); }

    // Somebody waits, and no connection is there for him.
    bool wants_connection() const { return !waiting_.empty() && connection_ == Connection::none; }
    // One opens, for the first who waits.
    Detour begin(Moment moment);
    void ended() { connection_ = Connection::none; }
    // Takes the first that suit the detour of that connection. False: there are none.
    bool take(const Detour& detour, std::vector<Recipient*>& taken, std::size_t most);
    // No host could be tried. True: those whom it suits are deferred by that, otherwise their
    // refusal stands.
    bool failed(const Detour& detour, const Disposition& why, bool no_route, core::Instant now);

    static bool suits(const Detour& detour, const Recipient& recipient);
    std::size_t size() const { return waiting_.size(); }
    ReadyQueue& queue() { return waiting_; }

  private:
    enum class Connection : std::uint8_t { none, there };
    struct Offer {  // of a host of this site
        std::string endpoint;
        Extensions extensions;
        core::Instant when{};
    };

    std::vector<std::string> endpoints() const;
    // Known not to take it: by what they offered lately.
    std::vector<std::string> unfit_hosts(Recipient& recipient, Moment moment) const;
    bool another_host_may(Recipient& recipient, Moment moment) const;
    bool another_family_may(const Disposition& refusal, const Detour* made, core::Instant now);
    void keep_to_one_family(core::Duration span, const Disposition& why, core::Instant now);

    const SiteFacts& site_;
    ReadyQueue waiting_;
    Connection connection_ = Connection::none;
    core::Instant one_family_until_{};  // the other one is no better
    std::vector<Offer> offers_;
};

}  // namespace relay
