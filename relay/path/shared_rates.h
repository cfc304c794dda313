// SharedRates: what one shard has of the rates that are wider than a path: how many messages a
// tenant may send in a time, over all paths and shards of the node. Each rate has a home shard,
// which keeps its RateLedger; whoever sends asks there for permits, some at a time
// (relay/limits/rate_permits.h), and mail that finds none waits without counting an attempt. Owned
// by the Dispatcher, on its shard; a SharedRate lives as long as who uses it, and until sweep().
//
//   if (!rate->try_take()) rate->wait(*this);   // then rate_allows() is called
//
// Holds: permits of all shards come to no more than the rate. Limits: one SharedRate, and at the
// home one ledger, for each rate of the configuration that is in use; kWokenAtOnce waiters are told
// in a step of the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/base/intrusive_list.h"
#include "core/io/shard.h"
#include "core/runtime/task_group.h"
#include "core/runtime/timer_set.h"
#include "relay/limits/rate_permits.h"

namespace relay {

class SharedRates;
struct WaitsForPermitTag;

class SharedRate final : public std::enable_shared_from_this<SharedRate> {
  public:
    class Waiter : public core::ListLink<WaitsForPermitTag> {
      public:
        virtual ~Waiter() = default;
        // There are permits. It takes what it can use, and may wait again.
        virtual void rate_allows() = 0;
        // So many events wait for permits.
        virtual std::uint64_t held_up() = 0;
    };

    SharedRate(SharedRates& all, std::string name, core::Rate rate)
        : all_(all), name_(std::move(name)), rate_(rate) {}
    ~SharedRate();

    // One event may happen now: try_take() answers true.
    bool may_take() const { return permits_.left() > 0; }
    // Takes a permit. False: wait().
    bool try_take();
    // An event did not happen after all.
    void put_back() {
        permits_.put_back();
        look_later();
    }
    // Who waits already stays where it is.
    void wait(Waiter& waiter);
    void leave(Waiter& waiter);
    static bool is_waiting(const Waiter& waiter);
    // Not before that; kNever: an answer is on its way.
    core::Instant again_at() const { return permits_.again_at(); }

    const std::string& name() const { return name_; }
    void change(core::Rate rate) {
        if (rate == rate_) return;
        rate_ = rate;
        permits_.ask_anew();
        look_later();
    }
    // Nobody waits and nothing is kept.
    bool at_rest() const;

  private:
    friend class SharedRates;
    static constexpr std::size_t kWokenAtOnce = 256;
    // Who was told of a permit and did not take it by then does not need it.
    static constexpr core::Duration kTaken = std::chrono::milliseconds{50};

    class Alarm final : public core::Timer {
      public:
        explicit Alarm(SharedRate& rate) : rate_(rate) {}
        void expire() override { rate_.look(); }

      private:
        SharedRate& rate_;
    };

    void look();
    std::uint64_t held_up();
    void wake();
    void ask();
    void answered(const RateGrant& grant);
    void look_later();
    void look_at(core::Instant when);

    SharedRates& all_;
    const std::string name_;
    core::Rate rate_;
    RatePermits permits_;
    core::IntrusiveList<Waiter, WaitsForPermitTag> waiting_;
    std::size_t waiters_ = 0;
    std::size_t told_ = 0;  // of permits that they did not take yet
    core::Instant told_at_{};
    Alarm alarm_{*this};
};

class SharedRates {
  public:
    // Asks the home of a rate, on its shard: SharedRates::grant() there.
    using Home = std::function<SharedRates&(std::size_t shard)>;

    SharedRates(core::Shard& shard, Home home)
        : shard_(shard), home_(std::move(home)), questions_(shard.reactor()) {}

    // The rate of that name. It is as stated from now on.
    std::shared_ptr<SharedRate> share_of(const std::string& name, core::Rate rate);
    // The home: what came back is given to others, and this much to who asks.
    RateGrant grant(const std::string& name, core::Rate rate, RateQuestion question);
    // Forgets what is not in use.
    void sweep();
    core::Task<void> close() { return questions_.close(); }

    std::size_t size() const { return shares_.size(); }
    std::size_t ledgers() const { return ledgers_.size(); }

  private:
    friend class SharedRate;

    struct Kept {
        RateLedger ledger;
        core::Instant used{};
    };

    void put(std::shared_ptr<SharedRate> share, RateQuestion question);
    core::Task<void> put_to_home(std::shared_ptr<SharedRate> share, std::size_t home,
                                 RateQuestion question);
    core::Instant now() const { return shard_.now(); }

    core::Shard& shard_;
    const Home home_;
    std::map<std::string, std::shared_ptr<SharedRate>> shares_;
    std::map<std::string, Kept> ledgers_;  // of rates that have their home here
    core::TaskGroup questions_;
};

}  // namespace relay
