#include "relay/routing/exchange.h"

#include <algorithm>
#include <limits>

#include "core/base/assert.h"
#include "relay/routing/site.h"

namespace relay {

namespace {

template <typename End>
void hand_all(core::Shard& from, std::size_t to, End* end, std::vector<Recipient*> recipients) {
    from.tell_owning(to, [end, recipients = std::move(recipients)] {
        for (Recipient* recipient : recipients)
            end->take(*recipient);
    });
}

}  // namespace

class Exchange::Homeward final : public core::Timer {
  public:
    explicit Homeward(Exchange& exchange) : exchange_(exchange), gathered_(exchange.shards()) {}
    ~Homeward() override { PH_ASSERT(!armed()); }

    void add(core::Shard& from, std::size_t origin, Recipient& recipient) {
        from_ = &from;
        std::vector<Recipient*>& all = gathered_[origin];
        all.push_back(&recipient);
        if (all.size() >= kMaxGathered) return send(origin);
        if (!armed()) from.reactor().timers().arm(*this, from.now() + kGather);
    }
    void expire() override {
        for (std::size_t origin = 0; origin < gathered_.size(); ++origin) {
            if (!gathered_[origin].empty()) send(origin);
        }
    }

  private:
    void send(std::size_t origin) {
        hand_all(*from_, origin, exchange_.origins_[origin], std::exchange(gathered_[origin], {}));
        const auto empty = [](const auto& some) { return some.empty(); };
        if (armed() && std::ranges::all_of(gathered_, empty)) {
            from_->reactor().timers().disarm(*this);
        }
    }

    Exchange& exchange_;
    core::Shard* from_ = nullptr;
    std::vector<std::vector<Recipient*>> gathered_;  // by origin
};

Exchange::Exchange(std::size_t shards) : origins_(shards), paths_(shards) {
    PH_ASSERT(shards <= std::numeric_limits<decltype(Recipient::lane)>::max() + std::size_t{1});
    for (std::size_t i = 0; i < shards; ++i)
        homeward_.push_back(std::make_unique<Homeward>(*this));
}

Exchange::~Exchange() = default;

void Exchange::attach(std::size_t shard, OriginEnd& origin, PathEnd& paths) {
    origins_[shard] = &origin;
    paths_[shard] = &paths;
}

void Exchange::to_path(core::Shard& from, Recipient& recipient) {
    const std::size_t home = recipient.site->home;
    if (home == from.id()) return paths_[home]->take(recipient);
    if (paths_[from.id()]->take_by_lane(recipient)) return;
    from.tell(home, [end = paths_[home], &recipient] { end->take(recipient); });
}

void Exchange::to_lane(core::Shard& from, std::size_t lane, std::vector<Recipient*> recipients) {
    PH_ASSERT(lane != from.id() && !recipients.empty());
    hand_all(from, lane, paths_[lane], std::move(recipients));
}

void Exchange::to_origin(core::Shard& from, Recipient& recipient) {
    const std::size_t origin = recipient.message->origin;
    if (from.id() == origin) return origins_[origin]->take(recipient);
    homeward_[from.id()]->add(from, origin, recipient);
}

void Exchange::to_prepare(core::Shard& from, Recipient& recipient) {
    const std::size_t origin = recipient.message->origin;
    from.tell(origin, [end = origins_[origin], &recipient] { end->prepare(recipient); });
}

void Exchange::prepared(core::Shard& from, Recipient& recipient) {
    const std::size_t lane = recipient.lane;
    if (from.id() == lane) return paths_[lane]->prepared(recipient);
    from.tell(lane, [end = paths_[lane], &recipient] { end->prepared(recipient); });
}

}  // namespace relay
