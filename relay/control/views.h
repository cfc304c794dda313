// What an operator sees of the relay, as values: made by the shards, written as JSON for the admin
// API, printed by the command line. Pure. Limits: kMaxQueues queues and kMaxPaths paths in one
// answer; the largest are named, the rest is counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/time.h"

namespace relay {

inline constexpr std::size_t kMaxQueues = 1'000;
inline constexpr std::size_t kMaxPaths = 1'000;
// Queues that a shard tells apart while it counts; what belongs to further ones is counted as one.
inline constexpr std::size_t kMaxQueuesCounted = 100'000;
inline constexpr std::size_t kMaxRecipientsShown = 1'000;  // of one message

struct StatusView {
    std::string version{};
    std::string hostname{};
    bool draining = false;
    std::size_t shards = 0;
    std::int64_t uptime_seconds = 0;
    std::int64_t scheduled = 0;
    std::int64_t suspended = 0;  // of these
    std::int64_t ready = 0;
    std::int64_t in_flight = 0;
    std::int64_t oldest_seconds = 0;
    std::int64_t connections = 0;
    std::uint64_t received = 0;  // messages, since the start, as all that follow
    std::uint64_t delivered = 0;
    std::uint64_t deferred = 0;
    std::uint64_t bounced = 0;
    std::uint64_t expired = 0;
    std::size_t suspensions = 0;  // orders in force
    std::size_t bounces = 0;
};
std::string to_json(const StatusView& status);

// Mail that waits for a time, or for the end of an order; what is ready is in a LivePath.
struct QueueView {
    std::string domain{};
    std::string tenant{};
    std::string campaign{};
    std::uint64_t scheduled = 0;  // the suspended ones too
    std::uint64_t suspended = 0;
    core::WallTime oldest{};
    core::WallTime next_attempt{};  // none: WallTime{}
    std::string last_reply{};       // of one of them
    std::string suspended_by{};     // id of the order
};

struct QueuesView {
    std::vector<QueueView> queues{};  // the largest first
    std::uint64_t queues_left_out = 0;
    std::uint64_t recipients_left_out = 0;
    // Of another shard; afterwards cut() keeps the largest.
    void add(QueuesView other);
    void cut(std::size_t most);
};
std::string to_json(const QueuesView& view);

struct LivePath {
    std::string name{};
    std::string provider{};
    std::string source{};
    std::size_t shard = 0;
    bool lane = false;  // a part of a path that has its home on another shard
    std::uint64_t ready = 0;
    std::uint64_t connections = 0;
    std::uint64_t connection_limit = 0;
    std::uint64_t window = 0;            // connections, as learned; 0: a lane has none
    std::string reason{};                // why it waits; empty: it does not
    double until_seconds = 0;            // from now; 0: some other event ends it
    std::vector<std::string> domains{};  // some of those that wait
};

struct PathsView {
    std::vector<LivePath> paths{};  // the longest queue first
    std::uint64_t left_out = 0;
    void add(PathsView other);
    void cut(std::size_t most);
};
std::string to_json(const PathsView& view);

struct RecipientView {
    std::string address{};
    std::string state{};  // scheduled, sending, final
    std::uint16_t attempts = 0;
    core::WallTime next_attempt{};
    std::string last_reply{};
};

struct MessageView {
    std::string id{};
    std::string sender{};
    std::string tenant{};
    std::string campaign{};
    std::size_t size = 0;
    std::size_t shard = 0;
    core::WallTime created{};
    std::vector<RecipientView> recipients{};
    std::size_t recipients_left_out = 0;
};
std::string to_json(const MessageView& message);

}  // namespace relay
