#include "relay/message/reply_pool.h"

#include <functional>
#include <string>
#include <utility>

#include "core/base/assert.h"

namespace relay {

std::size_t ReplyPool::Hash::operator()(const LastReply& last) const {
    return std::hash<std::string>{}(last.reply.text) * 31 + last.reply.code;
}

bool ReplyPool::Same::operator()(const LastReply& one, const LastReply& other) const {
    return one.reply == other.reply && one.command == other.command && one.local == other.local;
}

const LastReply* ReplyPool::keep(const Disposition& disposition) {
    return keep(LastReply{.reply = {disposition.reply.code, disposition.reply.enhanced,
                                    abridged_text(disposition.words(), kMostText)},
                          .command = disposition.command,
                          .local = disposition.local});
}

const LastReply* ReplyPool::keep(LastReply reply) {
    const auto place = replies_.insert(std::move(reply)).first;
    ++place->references;
    return &*place;
}

void ReplyPool::release(const LastReply* reply) {
    if (reply == nullptr) return;
    PH_ASSERT(reply->references > 0);
    if (--reply->references == 0) replies_.erase(*reply);
}

}  // namespace relay
