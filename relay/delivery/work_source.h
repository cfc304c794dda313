// WorkSource: what a connection knows of the path that it works for. It takes transactions, settles
// them, and tells how it fares. Implemented by Path (relay/path); outlives its connections; one
// shard. Costs a virtual call for each transaction that is taken and for each that is settled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "relay/delivery/delivery.h"
#include "relay/delivery/manners.h"
#include "relay/delivery/worker.h"
#include "relay/routing/site.h"

namespace relay {

// Why a connection did not get as far as a session.
struct NotOpened {
    enum class Because : std::uint8_t {
        refused,      // a server said 4yz instead of greeting us
        unreachable,  // no connection
        hopeless,     // by policy, or as DNS says: another try would end like this one
        resting,      // nothing was tried: all hosts that were left failed lately
        no_source,    // our egress source cannot be used, here or at all: see why.source_fault
    };
    Because because = Because::unreachable;
    Disposition why;            // of what was tried; resting: of what failed then
    core::Instant ask_again{};  // resting: not before
    bool brief = false;         // resting: what is ready may as well wait for it
    bool no_route = false;      // this machine has no way to some address
};

// What became of the session of a connection.
enum class SessionEnd : std::uint8_t {
    never_open,
    served,     // it completed transactions, or was given none
    fruitless,  // it was given transactions and completed none
};

class WorkSource {
  public:
    // What one session may still be given (RFC 9422, and [shaping]).
    struct Allowance {
        std::size_t recipients = 100;                       // in a transaction
        const std::vector<std::string>* domains = nullptr;  // nothing but these; null: any
    };
    enum class Taken : std::uint8_t {
        taken,
        nothing,       // nothing is ready, or it must wait; wake() comes then
        other_domain,  // what is next is not for this session
    };

    // Stays where it is; a reload changes what it says.
    virtual const SiteFacts& site() const = 0;
    virtual Manners& manners() = 0;

    // ---- opening: one of these two, then ended()
    virtual void not_opened(Worker& worker, const NotOpened& end) = 0;
    virtual void established(Worker& worker, const Extensions& offered) = 0;
    // The domains of what is ready, as written; not more than a report about TLS needs.
    virtual std::vector<std::string> waiting_domains() = 0;

    // ---- serving
    virtual Taken take_work(Worker& worker, Delivery& delivery, const Allowance& allowance) = 0;
    // Every recipient of the delivery goes home with its result, or back to the front untouched.
    virtual void settle(Worker& worker, Delivery& delivery) = 0;
    // Whether a connection without work is to stay open.
    virtual bool keeps_idle() const = 0;
    virtual void becomes_idle(Worker& worker) = 0;
    virtual void becomes_busy(Worker& worker) = 0;
    // Another session with this host took more messages than so many.
    virtual bool carries_more(const std::string& endpoint, std::size_t messages) const = 0;
    // The session was ended by the server's words, as 421.
    virtual void turned_away(Worker& worker, const Disposition& why) = 0;
    // The last call of a worker.
    virtual void ended(Worker& worker, SessionEnd how) = 0;

  protected:
    ~WorkSource() = default;
};

}  // namespace relay
