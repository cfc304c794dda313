// Ledger: the owner of one limit that several holders share, e.g. the connections of a path over
// the shards that serve it. It grants places, whole numbers of them, and takes back what is not
// used. Each holder says from time to time what it has and what it wants; it is answered what it
// may have. Places that others have are never granted: when all are taken, those who have more than
// their fair share are told less at their next call, and who waits gets what they then give back.
// Fair is max-min: nobody gets more than it wants, and what one does not want the others share.
// Pure; one owner. Limit: kMaxHolders holders. Costs a walk over the holders.
// Holds after each call: the sum of what all have is at most the limit, or, after the limit was
// lowered, at most what it was before, and then nothing is granted.
#pragma once

#include <cstddef>
#include <vector>

namespace relay {

class Ledger {
  public:
    static constexpr std::size_t kMaxHolders = 1024;

    explicit Ledger(std::size_t limit) : limit_(limit) {}

    // The holder has so many, no more than it was granted, and gives the rest back. It wants so
    // many in all. Answers how many it may have from now on: if fewer than it has, it is to give
    // back the difference as soon as it can, and until then it has them.
    std::size_t renew(std::size_t holder, std::size_t has, std::size_t wants);
    // Another limit, from the next call of each on.
    void limit_by(std::size_t limit) { limit_ = limit; }

    std::size_t limit() const { return limit_; }
    // What all have been granted and did not give back.
    std::size_t granted() const;
    std::size_t granted(std::size_t holder) const {
        return holder < accounts_.size() ? accounts_[holder].granted : 0;
    }
    // Those who have more than their share, as others want some.
    std::vector<std::size_t> above_their_share() const;
    // One of the others wants or has some.
    bool shared_by_others_than(std::size_t holder) const;

  private:
    struct Account {
        std::size_t granted = 0;
        std::size_t wants = 0;
    };

    // Its fair share of the limit.
    std::size_t share_of(std::size_t holder) const;

    std::size_t limit_;
    std::vector<Account> accounts_;  // by holder
};

}  // namespace relay
