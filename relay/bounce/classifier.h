// BounceClassifier: one shard's access to the bounce rules. It remembers its last verdicts: a site
// that is down says the same to everybody, and then costs a comparison instead of a match. One per
// shard, on its thread. use() swaps the rules on a reload; earlier verdicts stay valid while the
// caller keeps nothing of them beyond its turn. Limits: kRemembered replies.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "relay/bounce/rules.h"
#include "relay/message/disposition.h"

namespace relay {

class BounceClassifier {
  public:
    static constexpr std::size_t kRemembered = 64;

    explicit BounceClassifier(std::shared_ptr<const BounceRules> rules);

    // Of what failed, and never without a class; of a delivery nothing. An expiration without a
    // reply is "MessageExpired".
    BounceVerdict classify(const Disposition& disposition);
    void use(std::shared_ptr<const BounceRules> rules);

    std::size_t matched() const { return matched_; }  // times that the rules were asked

  private:
    static BounceReply reply_of(const Disposition& disposition);

    struct Entry {
        Reply said;
        Asked asked = Asked::nothing;
        std::uint32_t recipients = 0;
        bool local = false;
        bool deferred = false;
        std::string host;
        BounceVerdict verdict;
    };

    std::shared_ptr<const BounceRules> rules_;
    std::array<Entry, kRemembered> remembered_;
    std::size_t matched_ = 0;
};

}  // namespace relay
