#include "dns/query_ids.h"

#include <sys/random.h>

#include "core/base/ascii.h"
#include "core/base/assert.h"
#include "dns/wire/message.h"

namespace dns {

std::uint16_t QueryIds::take() {
    while (true) {
        const std::uint16_t id = draw();
        if (in_flight_.insert(id).second) return id;
    }
}

void QueryIds::mix_case(std::string& query) {
    const std::size_t end = kHeaderOctets + question_of(query).size() - 4;
    std::uint16_t bits = 0;
    for (std::size_t at = kHeaderOctets; at < end; ++at) {
        const std::size_t turn = (at - kHeaderOctets) % 16;
        if (turn == 0) bits = draw();
        if ((bits >> turn & 1) != 0) query[at] = core::ascii_upper(query[at]);
    }
}

std::uint16_t QueryIds::draw() {
    if (used_ == pool_.size()) refill();
    return pool_[used_++];
}

void QueryIds::refill() {
    // Up to 256 octets come whole and without an error once the system's pool is ready.
    const auto size = static_cast<ssize_t>(sizeof pool_);
    PH_ASSERT(::getrandom(pool_.data(), sizeof pool_, 0) == size);
    used_ = 0;
}

}  // namespace dns
