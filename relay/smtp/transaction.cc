#include "relay/smtp/transaction.h"

#include <algorithm>

namespace relay {

void Transaction::restart() {
    phase = Phase::waiting;
    next_command = 0;
    accepted = 0;
    behind_dot = by_chunk = false;
}

void Transaction::settle_open(const Disposition& disposition) {
    for (Disposition& result : results) {
        if (result.outcome == Outcome::none) result = disposition;
    }
}

void Transaction::settle_accepted(const Disposition& disposition) {
    for (Disposition& result : results) {
        const bool taken =
            result.outcome == Outcome::none && result.reply.code >= 200 && result.reply.code < 300;
        if (taken) result = disposition;
    }
}

bool Transaction::somebody_left() const {
    return std::ranges::any_of(results, [](const Disposition& result) {
        return result.outcome == Outcome::none && result.reply.code != kGoesAgain;
    });
}

}  // namespace relay
