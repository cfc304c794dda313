// Exchange: how recipients travel between their origin shard and the shard that serves their path:
// the path's home, or a lane (lane.h). A recipient that is handed over belongs to the receiver; it
// is not touched by the sender any more. Built before the shards serve; the table is read-only from
// then on. Within one shard the handover is a call; between shards a letter, so everything sent
// from one shard to another arrives in order. Those that go home to another shard are gathered for
// kGather, or until there are kMaxGathered: a letter wakes a shard, and
// nobody waits for these.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/timer_set.h"
#include "relay/message/message.h"
#include "relay/routing/lane.h"

namespace relay {

struct PathKey;
struct SiteFacts;
class SharedRates;

class RecipientTaker {
  public:
    virtual ~RecipientTaker() = default;
    virtual void take(Recipient& recipient) = 0;
};

// The origin's end takes recipients home with their disposition. It also prepares one whose turn
// comes soon: the content is in memory again and held afterwards. The path hears by prepared().
class OriginEnd : public RecipientTaker {
  public:
    virtual void prepare(Recipient& recipient) = 0;
};

// The end of the paths of one shard takes recipients that are ready. prepared() is the answer to
// prepare(): the content is held, or the disposition says why the recipient cannot be prepared.
class PathEnd : public RecipientTaker {
  public:
    virtual void prepared(Recipient& recipient) = 0;
    // Of an origin on this shard, for a path whose home is another one. True: a lane here took it.
    virtual bool take_by_lane(Recipient& recipient) = 0;
    // At the home of the path: a lane of that shard reports.
    virtual LaneTerms renew(const SiteFacts& site, std::size_t shard, const LaneReport& report) = 0;
    // What this shard has of rates that are wider than a path.
    virtual SharedRates& rates() = 0;
    // At a lane: it is to report at once, as others wait for some of its places.
    virtual void recall(const PathKey& path) = 0;
};

class Exchange {
  public:
    static constexpr std::size_t kMaxGathered = 64;  // recipients in a letter
    static constexpr core::Duration kGather = std::chrono::milliseconds{5};

    explicit Exchange(std::size_t shards);
    ~Exchange();

    std::size_t shards() const { return origins_.size(); }
    // Each shard registers its two ends before any shard serves.
    void attach(std::size_t shard, OriginEnd& origin, PathEnd& paths);
    PathEnd& paths(std::size_t shard) { return *paths_[shard]; }

    // Into a lane of the shard that has it, or to the home of its path.
    void to_path(core::Shard& from, Recipient& recipient);
    // From one lane to another that has less to do.
    void to_lane(core::Shard& from, std::size_t lane, std::vector<Recipient*> recipients);
    void to_origin(core::Shard& from, Recipient& recipient);
    // Always a letter or a later turn: the caller is in the middle of its queue.
    void to_prepare(core::Shard& from, Recipient& recipient);
    // Back to the lane that it is of.
    void prepared(core::Shard& from, Recipient& recipient);

  private:
    class Homeward;  // what goes home from one shard

    std::vector<OriginEnd*> origins_;
    std::vector<PathEnd*> paths_;
    std::vector<std::unique_ptr<Homeward>> homeward_;  // by the shard that they leave
};

}  // namespace relay
