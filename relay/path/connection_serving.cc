// The serving of a Connection: transactions, from where they may begin to the end of the session.
// What comes before is in connection.cc.
#include <algorithm>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/log.h"
#include "relay/path/connection.h"

namespace relay {

core::Task<void> Connection::converse() {
    while (!over_) {
        take_work();
        time_transaction();
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
    HostMemory::Habits* known = context_.hosts.known_habits(endpoint_);
    if (known != nullptr) most(known->cap.most(context_.shard.now()));
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
    const core::Instant now = context_.shard.now();
    if (now - last_message_ > kAtOnce) return;  // it minds idling
    const std::size_t messages = dialogue_->completed();
    SessionCap& cap = context_.hosts.habits(endpoint_).cap;
    if (path_.carries_more(endpoint_, messages)) return void(cap.carried(messages + 1));
    if (!cap.closed_silently(messages, established_at_, now)) return;
    core::log_info(
        "{} [{}] ends sessions after {} messages without a word: so many a session for {} "
        "min, then one session tries more",
        peer_name_, peer_address_, messages,
        std::chrono::duration_cast<std::chrono::minutes>(SessionCap::kHold).count());
}

// The host took a message; how many there are is of interest when the session is over.
void Connection::note_success() {
    const core::Instant now = context_.shard.now();
    if (answered_ && now - *answered_ < kTellEvery) return;
    answered_ = now;
    context_.hosts.answers(peer_, now);
    if (dialogue_->followed_dot()) learn_from(true);
    const bool encrypted = !tls_protocol_.empty() && demand_.may_go_clear();
    if (encrypted && context_.tls.memory().note_works(endpoint_, now)) {
        core::log_info("{} [{}]: TLS works again", peer_name_, peer_address_);
    }
}

// How the session was served; later ones begin so. replied: the server said what changed it.
void Connection::learn_from(bool replied) {
    if (const std::size_t completed = dialogue_->completed(); over_ && completed > 0) {
        context_.hosts.answers(peer_, context_.shard.now());
        HostMemory::Habits* known = context_.hosts.known_habits(endpoint_);
        if (known != nullptr && !dialogue_->sparing_parameters()) {
            known->refuses_parameters.lift(context_.shard.now());
        }
        if (known != nullptr && !says_helo_) known->helo_only.lift(context_.shard.now());
        if (known != nullptr && known->cap.carried(completed)) {
            core::log_info("{} [{}] took {} messages in a session: their number is not limited",
                           peer_name_, peer_address_, completed);
        }
    }
    const Manners::Choice ended{dialogue_->mode(), dialogue_->chunking()};
    const auto learned =
        path_.learn({began_, ended, replied, dialogue_->followed_dot(), dialogue_->chunked()});
    began_ = ended;
    if (!learned) return;
    core::log_info("{} [{}] does not take {}: without for {} min, then one session tries it again",
                   peer_name_, peer_address_, learned->what,
                   std::chrono::duration_cast<std::chrono::minutes>(learned->hold).count());
}

void Connection::note_refused_parameters() {
    if (sparing_noted_ || !dialogue_->sparing_parameters()) return;
    sparing_noted_ = true;
    Belief& belief = context_.hosts.habits(endpoint_).refuses_parameters;
    const core::Duration hold = belief.learn(context_.shard.now());
    if (hold == core::Duration{}) return;
    core::log_info(
        "{} [{}] refuses parameters that it offers: without them for {} min, then one "
        "session tries them again",
        peer_name_, peer_address_, std::chrono::duration_cast<std::chrono::minutes>(hold).count());
}

core::Task<bool> Connection::write() {
    // The dialogue gives large content in slices, so this deadline is one of progress, not of size.
    stream_->set_deadline(clock_.write_due(context_.shard.now(), times_.data_block));
    const auto written = co_await stream_->write(parts_);
    if (written) co_return true;
    co_await hear_last_words("sending: " + written.error().message());
    co_return false;
}

// Of the oldest transaction, while it may be given up without making a duplicate.
void Connection::time_transaction() {
    const Transaction* oldest = dialogue_->uploading();
    if (oldest == nullptr) return clock_.let_it_be();
    if (clock_.times(dialogue_->transactions_over())) return;
    const auto slot = std::ranges::find_if(deliveries_, [oldest](const Delivery& delivery) {
        return &delivery.transaction == oldest;
    });
    PH_ASSERT(slot != deliveries_.end() && !slot->recipients.empty());
    clock_.start_transaction(dialogue_->transactions_over(), context_.shard.now(),
                             oldest->content->stuffed_size(),
                             path_.time_left(*slot->recipients.front()->message));
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
    lost_ = true;
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
    const std::uint64_t awaited = dialogue_->replies() * 2 + (waiting_idle_ ? 1 : 0);
    stream_->set_deadline(clock_.reply_due(awaited, context_.shard.now(), patience));
    const auto input = co_await stream_->read();
    if (!input) {
        note_lost(input.error());
        co_return !over_;
    }
    if (input->empty()) {
        lost_ = true;
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
        const std::string awaited(dialogue_->awaited());
        const bool all = clock_.is_over(context_.shard.now());
        dialogue_->timed_out(all ? "given up, as it took too long, at " + awaited
                                 : "no reply to " + awaited + " in time");
    } else {
        lost_ = true;
        note_silent_close();
        dialogue_->connection_lost(error.message(), true);
    }
    end_dialogue();
}

bool Connection::take_events(std::string_view input) {
    using Event = ClientDialogue::Event;
    while (true) {
        const Event event = dialogue_->receive(input);
        note_refused_parameters();
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
                learn_from(true);
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
    if (dialogue_->completed() > 0) note_success();
    std::array<Transaction*, ClientDialogue::kMaxOpenTransactions> finished;
    std::size_t count = 0;
    while (Transaction* transaction = dialogue_->take_finished()) {
        PH_ASSERT(count < finished.size());
        finished[count++] = transaction;
    }
    while (count-- > 0) {  // the newest first: what goes back to the front keeps its order
        const auto slot = std::ranges::find_if(deliveries_, [&](const Delivery& delivery) {
            return &delivery.transaction == finished[count];
        });
        PH_ASSERT(slot != deliveries_.end());
        path_.settle(*slot, *this);
    }
}

void Connection::end_dialogue() {
    over_ = true;
    settle_finished();
}

}  // namespace relay
