// The serving of a Connection: transactions, from where they may begin to the end of the session.
// What comes before is in connection.cc.
#include <algorithm>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/log.h"
#include "relay/egress/connection.h"

namespace relay {

core::Task<void> Connection::converse() {
    while (!over_) {
        take_work();
        parts_.clear();
        dialogue_->compose(parts_);
        if (!parts_.empty()) {
            co_await write();
            continue;
        }
        if (dialogue_->idle()) {
            if (path_.closing() || deliveries_left_ == 0 || detour_ || path_.wants_place()) {
                dialogue_->quit();
                continue;
            }
            waiting_idle_ = true;
            ++context_.idle;
            path_.becomes_idle(*this);
        }
        co_await read();
        if (waiting_idle_) {
            waiting_idle_ = false;
            --context_.idle;
            path_.becomes_busy(*this);
        }
    }
    settle_finished();
}

// Takes what the dialogue can begin: the next message is always at hand when a reply comes.
void Connection::take_work() {
    while (deliveries_left_ > 0 && dialogue_->can_begin()) {
        const auto slot = std::ranges::find_if(
            deliveries_, [](const Delivery& delivery) { return delivery.recipients.empty(); });
        PH_ASSERT(slot != deliveries_.end());
        switch (detour_ ? path_.take_detour(*slot, allowance(), *detour_)
                        : path_.take_transaction(*slot, allowance())) {
            case Path::Taken::taken:
                break;
            case Path::Taken::nothing:
                return;
            case Path::Taken::other_domain:
                deliveries_left_ = 0;
                return;
        }
        --deliveries_left_;
        tried_ = true;
        note_domain(*slot);
        openings_.carries(slot->recipients.front()->domain());
        slot->fill_transaction(context_.shard.wall());
        dialogue_->begin(slot->transaction);
        settle_finished();  // refused without being sent
        // This host lacks it too: it would only be asked the same again.
        if (detour_ && slot->recipients.empty()) deliveries_left_ = 0;
    }
}

// A session ends behind as many messages as the server says (RFC 9422), or as it showed to take.
void Connection::keep_to_limits() {
    const auto most = [this](std::size_t messages) {
        if (messages > 0)
            deliveries_left_ =
                static_cast<std::uint32_t>(std::min<std::size_t>(deliveries_left_, messages));
    };
    most(dialogue_->extensions().mail_max);
    most(context_.hosts.most_messages(endpoint_, context_.shard.now()));
}

Path::Allowance Connection::allowance() const {
    const Extensions& offered = dialogue_->extensions();
    Path::Allowance allowed{.recipients = path_.site().limits.max_recipients_per_batch};
    if (offered.rcpt_max > 0) {
        allowed.recipients = std::min<std::size_t>(allowed.recipients, offered.rcpt_max);
    }
    if (offered.rcpt_domain_max > 0 && domains_.size() >= offered.rcpt_domain_max) {
        allowed.domains = &domains_;
    }
    return allowed;
}

void Connection::note_domain(const Delivery& delivery) {
    if (dialogue_->extensions().rcpt_domain_max == 0) return;
    const std::string_view domain = delivery.recipients.front()->domain();
    const auto same = [domain](const std::string& one) {
        return core::equals_ignoring_case(one, domain);
    };
    if (std::ranges::none_of(domains_, same)) domains_.emplace_back(domain);
}

// Some receivers end a session behind so many messages without a word. It costs no mail, but a
// round trip each time, and it is no news once it is known.
void Connection::note_silent_close() {
    if (!dialogue_ || !dialogue_->between_messages()) return;
    if (context_.shard.now() - last_message_ > kAtOnce) return;  // it minds idling
    context_.hosts.closed_silently(endpoint_, dialogue_->completed(), context_.shard.now());
}

bool Connection::note_refused_parameters() {
    if (sparing_noted_ || !dialogue_->sparing_parameters()) return false;
    sparing_noted_ = true;
    context_.hosts.refuses_parameters(endpoint_, context_.shard.now());
    core::log_info("{} [{}] refuses parameters that it offers: going on without them", peer_name_,
                   peer_address_);
    return true;
}

core::Task<bool> Connection::write() {
    // Large content leaves in slices, so that the deadline is one of progress, not of size.
    std::size_t first = 0;
    while (first < parts_.size()) {
        std::size_t last = first;
        std::size_t octets = 0;
        while (last < parts_.size() &&
               (octets == 0 || octets + parts_[last].iov_len <= kWriteSlice)) {
            octets += parts_[last++].iov_len;
        }
        stream_->set_deadline(context_.shard.now() + times_.data_block);
        const auto written =
            co_await stream_->write(std::span<const iovec>(parts_).subspan(first, last - first));
        if (!written) {
            co_await hear_last_words("sending: " + written.error().message());
            co_return false;
        }
        first = last;
    }
    co_return true;
}

// A server that refuses early, or closes behind the reply to a message, said so before our writing
// failed: what it said counts, above all a 250 (RFC 5321 section 4.2.5).
core::Task<void> Connection::hear_last_words(std::string reason) {
    stream_->set_deadline(context_.shard.now() + kLastWords);
    while (!over_) {
        const auto input = co_await stream_->read();
        if (!input && input.error().value() == EINTR) continue;
        if (!input || input->empty()) break;
        const std::size_t length = input->size();
        take_events(*input);
        stream_->consume(length);
    }
    if (over_) co_return;
    note_silent_close();
    dialogue_->connection_lost(reason, false);
    end_dialogue();
}

// A connection to each of very many sites would cost more than making it anew.
core::Duration Connection::idle_for() const {
    const EgressOptions& options = context_.options;
    const core::Duration idle = times_.idle;
    return context_.idle > options.many_idle ? std::min(options.briefly_idle, idle) : idle;
}

core::Task<bool> Connection::read() {
    const core::Duration patience =
        waiting_idle_ ? idle_for() : core::Duration{dialogue_->timeout()};
    stream_->set_deadline(context_.shard.now() + patience);
    const auto input = co_await stream_->read();
    if (!input) {
        note_lost(input.error());
        co_return !over_;
    }
    if (input->empty()) {
        note_silent_close();
        dialogue_->connection_lost("the server closed the connection", true);
        end_dialogue();
        co_return false;
    }
    const std::size_t length = input->size();
    const bool going_on = take_events(*input);
    stream_->consume(length);
    co_return going_on;
}

void Connection::note_lost(const std::error_code& error) {
    if (error.value() == EINTR) return;  // woken: there is work
    if (error.value() == ETIMEDOUT && waiting_idle_) {
        dialogue_->quit();
        return;
    }
    if (error.value() == ETIMEDOUT) {
        dialogue_->timed_out("no reply to " + std::string(dialogue_->awaited()) + " in time");
    } else {
        note_silent_close();
        dialogue_->connection_lost(error.message(), true);
    }
    end_dialogue();
}

bool Connection::take_events(std::string_view input) {
    using Event = ClientDialogue::Event;
    while (true) {
        const Event event = dialogue_->receive(input);
        const bool spared = note_refused_parameters();
        switch (event) {
            case Event::need_input:
                return true;
            case Event::ready:
                break;
            case Event::start_tls:
                tls_due_ = true;
                return true;
            case Event::finished:
                settle_finished();
                last_message_ = context_.shard.now();
                break;
            case Event::fell_back:
                path_.learn(dialogue_->mode(), dialogue_->chunking());
                if (spared) break;
                core::log_info("{} [{}] cannot follow our pipelining: going on in a simpler mode",
                               peer_name_, peer_address_);
                break;
            case Event::closing:
            case Event::closed:
                end_dialogue();
                return false;
        }
    }
}

void Connection::settle_finished() {
    if (!dialogue_) return;
    if (dialogue_->completed() > 0 && !std::exchange(host_answers_, true)) {
        context_.hosts.answers(peer_);
    }
    while (Transaction* transaction = dialogue_->take_finished()) {
        const auto slot = std::ranges::find_if(deliveries_, [&](const Delivery& delivery) {
            return &delivery.transaction == transaction;
        });
        PH_ASSERT(slot != deliveries_.end());
        path_.settle(*slot, *this);
    }
}

void Connection::end_dialogue() {
    over_ = true;
    path_.learn(dialogue_->mode(), dialogue_->chunking());
    settle_finished();
}

}  // namespace relay
