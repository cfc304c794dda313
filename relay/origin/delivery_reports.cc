#include "relay/origin/delivery_reports.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/runtime/slices.h"
#include "relay/message/header_field.h"
#include "relay/message/verp.h"

namespace relay {

namespace {

bool told_of_failures(const Recipient& recipient) {
    if (recipient.notify.said()) return recipient.notify.on_failure();
    return recipient.message->bounces != BouncePolicy::record;
}

bool told_of_delays(const Recipient& recipient) {
    if (recipient.notify.said()) return recipient.notify.on_delay();
    return recipient.message->bounces != BouncePolicy::record;
}

// With its share of the lists that it is in.
std::size_t octets_of(const DsnRecipient& told) {
    return 2 * sizeof(DsnRecipient) + 2 * sizeof(std::pair<Recipient*, Outcome>) +
           told.address.size() + told.original.size() + told.reply.text.size() +
           told.remote_mta.size();
}

}  // namespace

DeliveryReports::DeliveryReports(core::Shard& shard, ReportOptions options, Acceptance& door,
                                 ReportedMail& mail, metrics::ShardMetrics& metrics)
    : shard_(shard),
      options_(std::move(options)),
      door_(door),
      mail_(mail),
      metrics_(metrics),
      closing_(shard.reactor()),
      tasks_(shard.reactor()) {}

DeliveryReports::~DeliveryReports() {
    PH_ASSERT(collected_.empty() && waiting_.empty() && memory_ == 0);
    if (timer_.armed()) shard_.reactor().timers().disarm(timer_);
}

DeliveryReports::Tells DeliveryReports::ended(Recipient& recipient) {
    if (recipient.message->sender.empty()) return Tells::nothing;
    const Disposition& done = recipient.disposition();
    const bool delivered = done.outcome == Outcome::delivered;
    // A server with DSN reports success itself (RFC 3461 section 5.2.2).
    const bool reports = recipient.notify.on_success() && !done.dsn_passed;
    // Nobody watches the time any more (RFC 2852 section 4.1.4.2), or each server was asked about.
    const DeliverBy& by = recipient.message->deliver_by();
    const bool unwatched = by.asked() && !by.returns && !done.by_passed;
    const bool timed = (by.traces || unwatched) && !recipient.notify.never();
    if (delivered && !timed && !reports) return Tells::nothing;
    if (!delivered && !told_of_failures(recipient)) return Tells::nothing;
    add(recipient, delivered ? DsnAction::relayed : DsnAction::failed)
        .ended.emplace_back(&recipient, done.outcome);
    return delivered ? Tells::success : Tells::failure;
}

void DeliveryReports::deferred(Recipient& recipient, core::WallTime until) {
    if (recipient.message->sender.empty() || recipient.delay_told) return;
    const DeliverBy& by = recipient.message->deliver_by();
    if (by.asked()) {  // then, and not before (RFC 2852 section 4.1)
        if (!by.has_passed(shard_.wall()) || recipient.notify.never()) return;
    } else {
        if (options_.delay_warning == core::Duration{} || !told_of_delays(recipient)) return;
        if (shard_.wall() - recipient.message->created < options_.delay_warning) return;
    }
    recipient.delay_told = true;
    add(recipient, DsnAction::delayed, until);
}

DeliveryReports::Collected& DeliveryReports::add(Recipient& recipient, DsnAction action,
                                                 core::WallTime until) {
    Message& message = *recipient.message;
    const Disposition& done = recipient.disposition();
    DsnRecipient told;
    told.action = action;
    told.address = recipient.address;
    told.original = recipient.original();
    told.reply = done.reply;
    told.local = done.local;
    if (!done.local) told.remote_mta = done.peer_name;
    told.expired = action == DsnAction::failed
                       ? done.outcome == Outcome::expired
                       : action == DsnAction::delayed && message.deliver_by().asked();
    told.last_attempt = shard_.wall();
    if (action == DsnAction::delayed) told.retry_until = until;
    if (const auto full = collected_.find(&message);
        full != collected_.end() && full->second.told.size() >= kMostPerReport) {
        message_ends(message);
    }
    const auto [place, first] = collected_.try_emplace(&message);
    if (first) ++message.open_recipients;
    const std::size_t octets = octets_of(told);
    place->second.octets += octets;
    memory_ += octets;
    place->second.told.push_back(std::move(told));
    if (!timer_.armed()) shard_.reactor().timers().arm(timer_, shard_.now() + kGather);
    return place->second;
}

void DeliveryReports::message_ends(Message& message) {
    const auto found = collected_.find(&message);
    if (found == collected_.end()) return;
    Collected collected = std::move(found->second);
    collected_.erase(found);
    begin_report(message, std::move(collected));
}

void DeliveryReports::flush() {
    core::SliceCount slice;
    while (!collected_.empty()) {
        auto first = collected_.extract(collected_.begin());
        begin_report(*first.key(), std::move(first.mapped()));
        if (slice.full() && !collected_.empty()) {
            if (!timer_.armed()) shard_.reactor().timers().arm(timer_, core::kAtOnce);
            return;
        }
    }
}

void DeliveryReports::begin_report(Message& original, Collected collected) {
    waiting_.push_back({&original, std::move(collected)});
    if (makers_ < kMostAtOnce && tasks_.spawn(make_reports())) {
        ++makers_;
    } else if (makers_ == 0) {
        // Closing: what it tells of was not recorded, so the next run comes to it again.
        forget(waiting_.back().collected);
        waiting_.pop_back();
        mail_.let_go(original);
    }
}

core::Task<void> DeliveryReports::make_reports() {
    while (!waiting_.empty()) {
        Waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        co_await report(next.original, std::move(next.collected));
    }
    --makers_;
}

// One report says one thing; with VERP every recipient has a return path of its own.
core::Task<void> DeliveryReports::report(Message* original, Collected collected) {
    if (co_await tell(original, &collected)) {
        for (const auto& [recipient, outcome] : collected.ended)
            mail_.record(*recipient, outcome);
    }
    forget(collected);
    mail_.let_go(*original);
}

void DeliveryReports::forget(const Collected& collected) {
    PH_ASSERT(memory_ >= collected.octets);
    memory_ -= collected.octets;
}

// False: not all of it, since all is closing; the next run comes to it again.
core::Task<bool> DeliveryReports::tell(Message* original, Collected* collected) {
    bool told = true;
    const bool quotes = original->tls != TlsRequest::required;
    const InHand::Note note = mail_.take_in_hand(*original);
    const bool held = quotes && co_await mail_.hold_content(*original);
    for (const DsnAction action : {DsnAction::failed, DsnAction::delayed, DsnAction::relayed}) {
        std::vector<DsnRecipient> alike;
        for (DsnRecipient& each : collected->told) {
            if (each.action != action) continue;
            if (original->verp) {
                std::string to = verp_sender(original->sender, each.address);
                told &= co_await report_alike(original, {std::move(each)}, std::move(to));
            } else {
                alike.push_back(std::move(each));
            }
        }
        if (!alike.empty()) {
            told &=
                co_await report_alike(original, std::move(alike), std::string(original->sender));
        }
    }
    if (held) mail_.let_content_go(*original);
    co_return told;
}

// A spool that is full has room again some time.
core::Task<bool> DeliveryReports::report_alike(const Message* original,
                                               std::vector<DsnRecipient> recipients,
                                               std::string to) {
    bool waits = false;
    while (!co_await door_.commit(write(*original, recipients, to))) {
        if (!waits) {
            core::log_warning("a delivery status notification to {} waits: there is no room",
                              core::escaped(to));
        }
        waits = true;
        if (co_await closing_.wait(shard_.now() + kTryAgain)) co_return false;
    }
    metrics_.reports().notifications.add();
    co_return true;
}

std::unique_ptr<Message> DeliveryReports::write(const Message& original,
                                                std::vector<DsnRecipient> recipients,
                                                std::string to) {
    std::unique_ptr<Message> message = door_.begin();
    const bool full = original.dsn().content == ReturnContent::full;
    const std::size_t wanted = full ? kMostReturned + 1 : kMostHeaders + 1;
    // A notification about mail with REQUIRETLS holds nothing of it, so that it may go back
    // whatever the servers on that way offer (RFC 8689 section 5).
    const bool quotes = original.tls != TlsRequest::required && original.content.resident();
    const std::string given = quotes ? original.content.head(wanted) : std::string();
    const DsnText text = write_dsn({.reporting_mta = options_.hostname,
                                    .id = message->id.to_string(),
                                    .to = to,
                                    .now = shard_.wall(),
                                    .original_id = original.id.to_string(),
                                    .asked = original.dsn(),
                                    .arrival = original.created,
                                    .whole = given.size() == original.content.size(),
                                    .original = given,
                                    .recipients = std::move(recipients)});
    message->utf8 = message->eight_bit = text.utf8;
    message->ours = true;
    for (std::string_view rest = text.content; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find("\r\n") + 2);
        if (line.starts_with('.')) message->content.mark_leading_dot();
        message->content.append(line);
        rest.remove_prefix(line.size());
    }
    message->content.seal();
    message->recipients.push_back(std::make_unique<Recipient>(*message, std::move(to)));
    message->recipients.front()->notify = Notify(Notify::kNever);  // RFC 3461 section 6.1
    message->edit_injection().protocol = "DSN";
    return message;
}

core::Task<void> DeliveryReports::close() {
    if (timer_.armed()) shard_.reactor().timers().disarm(timer_);
    core::Slices slices(shard_.reactor());
    while (!collected_.empty()) {
        auto first = collected_.extract(collected_.begin());
        begin_report(*first.key(), std::move(first.mapped()));
        co_await slices.next();
    }
    closing_.set();
    co_await tasks_.close();
}

}  // namespace relay
