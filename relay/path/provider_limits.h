// ProviderLimits: what all paths of a provider share, for each egress source: connections at once
// and messages in a time ([provider."NAME"] provider_connection_limit, provider_max_message_rate).
// Such paths have one home (home_of()) and no lanes, so one shard keeps the count and no letters
// are needed. Connections are a semaphore: at most N places, paths that find none wait FIFO and are
// told in turn; one that has idle connections then gives one up. Owned by the Dispatcher, on its
// shard; a Share lives as long as a path of the provider. Limit: one Share for each provider and
// source. Each call costs the same, however many paths there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/intrusive_list.h"
#include "relay/limits/token_bucket.h"
#include "relay/message/path_key.h"
#include "relay/shaping/limits.h"

namespace relay {

struct WaitsForPlaceTag;
struct HasIdleTag;

class ProviderShare {
  public:
    // A path. It is on a list while it waits for a place, or has idle connections.
    class Member : public core::ListLink<WaitsForPlaceTag>, public core::ListLink<HasIdleTag> {
      public:
        virtual ~Member() = default;
        // It waited, and now there is a place.
        virtual void place_is_free() = 0;
        // Others wait. False: none of its connections is idle.
        virtual bool give_up_idle() = 0;
    };

    // Of the configuration in force; the same for all members.
    void limit_by(const ShapingLimits& limits);

    // ---- connections
    bool has_place() const { return limit_ == 0 || taken_ < limit_; }
    // A member that needs has_place() and finds it false is told once there is one.
    void wait(Member& member);
    void take_place() { ++taken_; }
    // Tells the member that waited longest.
    void give_back();
    void has_idle(Member& member);
    // Others wait, or there are too many connections: nobody should keep an idle one.
    bool is_short() { return !waiting_.empty() || (limit_ != 0 && taken_ > limit_); }
    void leave(Member& member);

    // ---- messages
    // The earliest time at which take_message() may be called; in the past: now.
    core::Instant next_message() const { return rate_ ? rate_->next_at() : core::Instant{}; }
    void take_message(core::Instant now);

    std::size_t taken() const { return taken_; }

  private:
    std::size_t limit_ = 0;  // 0: none
    std::size_t taken_ = 0;
    core::IntrusiveList<Member, WaitsForPlaceTag> waiting_;
    core::IntrusiveList<Member, HasIdleTag> idle_;
    std::optional<core::Rate> stated_rate_;
    std::optional<TokenBucket> rate_;
};

class ProviderLimits {
  public:
    // Null: the path shares nothing with others of its provider.
    std::shared_ptr<ProviderShare> share_of(const PathKey& path);

  private:
    std::map<std::pair<SourceId, std::string>, std::weak_ptr<ProviderShare>> shares_;
};

}  // namespace relay
