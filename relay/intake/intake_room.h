// IntakeRoom: what one connection or request holds of the memory for mail that is not complete yet,
// and whether it may hold more. Room is asked for when a message is announced and then whenever
// kStep more has come, so a small message asks once. Owned by a session or request, on its shard,
// and destroyed before its Intake. Limits: what Intake has room for, and the client's share of it
// (IntakeShares).
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "relay/intake/intake.h"

namespace relay {

class IntakeRoom {
  public:
    static constexpr std::size_t kStep = 1U << 20;

    IntakeRoom(Intake& intake, const core::IpAddress& client)
        : intake_(intake), hold_(intake.shares(), client) {}

    // A message begins; so many octets were announced, and there was room for them.
    void begin(std::size_t announced) { agreed_ = std::max(announced, kStep); }
    // So many octets are held now. A refusal: they are more than was agreed, and there is no room.
    std::optional<Refusal> hold(std::size_t octets) {
        hold_.set(octets);
        if (octets <= agreed_) return std::nullopt;
        agreed_ = octets + kStep;
        return check();
    }
    // Nothing is asked: what is held is known to fit, or given back.
    void set(std::size_t octets) { hold_.set(octets); }
    // Is there room for what everybody holds, and for others beside this client?
    std::optional<Refusal> check() const { return intake_.room_for(hold_); }
    std::size_t octets() const { return hold_.octets(); }

  private:
    Intake& intake_;
    IntakeShares::Hold hold_;
    std::size_t agreed_ = kStep;
};

}  // namespace relay
