#include "relay/limits/ledger.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace relay {

std::size_t Ledger::granted() const {
    std::size_t sum = 0;
    for (const Account& account : accounts_)
        sum += account.granted;
    return sum;
}

bool Ledger::shared_by_others_than(std::size_t holder) const {
    for (std::size_t i = 0; i < accounts_.size(); ++i) {
        if (i != holder && (accounts_[i].granted > 0 || accounts_[i].wants > 0)) return true;
    }
    return false;
}

std::vector<std::size_t> Ledger::above_their_share() const {
    std::vector<std::size_t> above;
    for (std::size_t i = 0; i < accounts_.size(); ++i) {
        if (accounts_[i].granted > share_of(i)) above.push_back(i);
    }
    return above;
}

// Who wants least is served first; the others share what is left of the limit. A remainder goes to
// the holders of the lowest numbers, so that shares are the same at each call.
std::size_t Ledger::share_of(std::size_t holder) const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < accounts_.size(); ++i) {
        if (accounts_[i].wants > 0) order.push_back(i);
    }
    const auto wants = [this](std::size_t i) { return accounts_[i].wants; };
    std::ranges::sort(order, {}, [wants](std::size_t i) { return std::pair(wants(i), i); });
    std::size_t left = limit_;
    auto rest = order.begin();
    const auto level = [&] { return left / static_cast<std::size_t>(order.end() - rest); };
    for (; rest != order.end() && wants(*rest) <= level(); ++rest) {
        if (*rest == holder) return wants(holder);
        left -= wants(*rest);
    }
    if (std::find(rest, order.end(), holder) == order.end()) return 0;
    const auto before = std::count_if(rest, order.end(), [=](std::size_t i) { return i < holder; });
    const std::size_t remainder = left % static_cast<std::size_t>(order.end() - rest);
    return level() + (static_cast<std::size_t>(before) < remainder ? 1 : 0);
}

std::size_t Ledger::renew(std::size_t holder, std::size_t has, std::size_t wants) {
    PH_ASSERT(holder < kMaxHolders);
    if (holder >= accounts_.size()) accounts_.resize(holder + 1);
    Account& account = accounts_[holder];
    PH_ASSERT(has <= account.granted);
    account.granted = has;
    account.wants = wants;
    const std::size_t share = share_of(holder);
    if (share <= has) return share;
    const std::size_t all = granted();
    const std::size_t free = limit_ > all ? limit_ - all : 0;
    account.granted += std::min(share - has, free);
    return account.granted;
}

}  // namespace relay
