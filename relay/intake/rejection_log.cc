#include "relay/intake/rejection_log.h"

#include <spdlog/fmt/fmt.h>

#include "relay/intake/admission.h"

namespace relay {

namespace {

constexpr std::size_t kKeptText = 256;  // octets of the last refusal

}  // namespace

RejectionLog::~RejectionLog() {
    if (timer_.armed()) reactor_.timers().disarm(timer_);
}

RejectionLog::Refusals& RejectionLog::refusals_of(const core::IpAddress& client, bool stranger) {
    const Key key{.stranger = stranger, .network = client_network(client)};
    const auto found = refusals_.find(key);
    if (found != refusals_.end()) return found->second;
    const std::size_t known = stranger ? strangers_ : refusals_.size() - strangers_;
    if (known >= (stranger ? kStrangers : kClients)) {
        Refusals& others = refusals_[{.stranger = stranger, .other = true}];
        others.written = kClientEvents;  // counted only
        return others;
    }
    if (stranger) ++strangers_;
    return refusals_[key];
}

void RejectionLog::note(const core::IpAddress& client, bool stranger,
                        const EventRejection& rejection) {
    log_.note(stranger ? core::LogLevel::kWarning : core::LogLevel::kInfo,
              stranger ? "refused mail from outside `allow`" : "refused mail of a client",
              rejection.peer.address, rejection.response.reply.text);
    if (!timer_.armed()) reactor_.timers().arm(timer_, reactor_.now() + kInterval);
    Refusals& refusals = refusals_of(client, stranger);
    if (refusals.written < (stranger ? kStrangerEvents : kClientEvents)) {
        ++refusals.written;
        return events_.rejection(rejection);
    }
    ++refusals.more;
    ReplyView reply = rejection.response.reply;
    reply.text = reply.text.substr(0, kKeptText);
    refusals.reply = copy_of(reply);
    refusals.command = rejection.response.command;
    refusals.protocol = rejection.protocol;
}

void RejectionLog::note_turned_away(const core::IpAddress& client, std::string_view why) {
    log_.note(core::LogLevel::kWarning, "turned away", client.unmapped().to_string(), why);
}

void RejectionLog::write_sum(const Key& key, const Refusals& refusals) {
    const std::string address = key.other ? std::string() : key.network.to_string();
    const std::string text =
        fmt::format("{} more within {} s{}, the last one: {}", refusals.more,
                    std::chrono::duration_cast<std::chrono::seconds>(kInterval).count(),
                    key.other ? " from other addresses" : "", refusals.reply.text);
    events_.rejection({
        .sender = {},
        .recipient = {},
        .size = 0,
        .peer = {{}, address},
        .response = {.reply = {refusals.reply.code, refusals.reply.enhanced, text},
                     .command = refusals.command},
        .protocol = refusals.protocol,
        .session_id = {},
    });
}

void RejectionLog::sweep() {
    for (const auto& [key, refusals] : refusals_) {
        if (refusals.more > 0) write_sum(key, refusals);
    }
    refusals_.clear();
    strangers_ = 0;
}

void RejectionLog::close() {
    if (timer_.armed()) reactor_.timers().disarm(timer_);
    sweep();
}

}  // namespace relay
