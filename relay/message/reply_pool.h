// ReplyPool: the last reply of every deferred recipient of one shard, each distinct reply kept
// once. A site that is down says the same to everybody, so a million deferred recipients share a
// few entries and cost a pointer each. Owned by the Origin; keep() and release() pair up. One
// shard. Limit: as many entries as there are distinct replies among the queued recipients; of a
// text over kMostText octets the front and the end are kept.
#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_set>

#include "relay/message/disposition.h"

namespace relay {

class ReplyPool {
  public:
    static constexpr std::size_t kMostText = 512;

    const LastReply* keep(const Disposition& disposition);
    const LastReply* keep(LastReply reply);
    void release(const LastReply* reply);  // null: nothing
    std::size_t size() const { return replies_.size(); }

  private:
    struct Hash {
        std::size_t operator()(const LastReply& last) const;
    };
    struct Same {
        bool operator()(const LastReply& one, const LastReply& other) const;
    };
    std::unordered_set<LastReply, Hash, Same> replies_;  // nodes never move
};

}  // namespace relay
