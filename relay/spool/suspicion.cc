#include "relay/spool/suspicion.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace relay {

namespace {

using InHand = std::map<MessageId, bool>;  // and whether it was on trial

// Nobody: in company it is not known who it was.
std::optional<MessageId> alone_on_trial(const InHand& in_hand) {
    std::optional<MessageId> alone;
    for (const auto& [id, on_trial] : in_hand) {
        if (!on_trial) continue;
        if (alone) return std::nullopt;
        alone = id;
    }
    return alone;
}

// False: there is nothing to remember of it any more.
bool go_on(Known& known, const LastRun& last, const InHand& in_hand) {
    if (last.how == LastEnd::unknown) return true;
    if (!known.suspect()) {
        if (last.how != LastEnd::early || !in_hand.contains(known.id)) return false;
        ++known.ends;
        return true;
    }
    // A run that lived long enough would have found it, if it were there.
    const bool there = std::exchange(known.found, false);
    return there || last.how == LastEnd::early;
}

}  // namespace

Judgement judge(const LastRun& last) {
    Judgement judgement;
    const bool died = last.how == LastEnd::early || last.how == LastEnd::late;
    InHand in_hand;
    if (died) {
        for (const Noted& noted : last.in_hand)
            in_hand[noted.id] |= noted.on_trial;
    }
    const auto tried = alone_on_trial(in_hand);
    for (Known known : last.known) {
        if (known.suspect() && known.id == tried) ++known.deaths;
        if (known.deaths >= kDeaths) {
            judgement.set_aside.push_back(known.id);
        } else if (go_on(known, last, in_hand)) {
            judgement.known.push_back(known);
        }
        in_hand.erase(known.id);
    }
    if (last.how == LastEnd::early) {
        for (const auto& [id, on_trial] : in_hand)
            judgement.known.push_back({.id = id, .ends = 1});
    }
    std::ranges::sort(judgement.known, [](const Known& one, const Known& other) {
        return std::pair(other.ends, one.id) < std::pair(one.ends, other.id);
    });
    return judgement;
}

}  // namespace relay
