// The serving of a Session: transactions, from where they may begin to the end. What comes before
// is in session_opening.cc, what is learned from it in session_lessons.cc.
#include "relay/delivery/session.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/assert.h"
#include "core/base/log.h"
#include "relay/message/header_field.h"

namespace relay {

namespace {

constexpr std::size_t kHeadForMessageId = 8192;

// As KumoMTA has it: what is said of the destination goes before what is said of the source.
const std::string& ehlo_name(const SiteFacts& site, const EgressOptions& options) {
    if (site.limits.ehlo_domain != nullptr) return *site.limits.ehlo_domain;
    const bool own = site.source != nullptr && !site.source->ehlo.empty();
    return own ? site.source->ehlo : options.ehlo_name;
}

}  // namespace

Session::Session(const SessionParts& parts, Approach approach,
                 std::unique_ptr<core::ByteStream> stream)
    : context_(parts.context),
      source_(parts.source),
      worker_(parts.worker),
      openings_(parts.openings),
      times_(parts.times),
      id_(parts.id),
      site_(parts.source.site()),
      approach_(std::move(approach)),
      endpoint_(approach_.target.endpoint()),
      learned_endpoint_(site_.learned(endpoint_)),
      learned_peer_(site_.learned(approach_.target.peer().to_string())),
      peer_address_(approach_.target.address.to_string()),
      source_address_(stream->local().ip.to_string()),
      stream_(std::move(stream)),
      began_(source_.manners().choose(context_.shard.now())),
      dialogue_(ehlo_name(site_, context_.options), began_.pipelining, began_.chunking),
      deliveries_left_(site_.limits.max_deliveries_per_connection) {}

Session::~Session() {
    PH_ASSERT(stream_ == nullptr);
}

core::Task<void> Session::close() {
    if (stream_ == nullptr) co_return;
    co_await stream_->close();
    stream_.reset();
}

void Session::wake() {
    if (step_ == Step::idle) stream_->interrupt();
}

void Session::retire() {
    deliveries_left_ = 0;
    wake();
}

void Session::abort() {
    aborted_ = true;
    if (stream_ != nullptr) stream_->abort();
}

void Session::move_to(Step next) {
    const bool open = step_ == Step::serving || step_ == Step::idle;
    switch (next) {
        case Step::opening:
            PH_ASSERT(step_ == Step::tls_due);
            break;
        case Step::tls_due:
            PH_ASSERT(step_ == Step::opening);
            break;
        case Step::serving:
            PH_ASSERT(step_ == Step::opening || step_ == Step::idle);
            break;
        case Step::idle:
            PH_ASSERT(step_ == Step::serving);
            break;
        case Step::over:
        case Step::lost:
            PH_ASSERT(open || step_ == Step::opening);
            break;
    }
    step_ = next;
}

void Session::end(Step how) {
    move_to(how);
    settle_finished();
}

core::Task<SessionEnd> Session::serve() {
    established_at_ = context_.shard.now();
    context_.metrics.connect(site_.destination, metrics::Connect::ready);
    context_.metrics.connection_opened(site_.destination);
    source_.established(worker_, dialogue_.extensions());
    keep_to_limits();
    co_await converse();
    context_.metrics.connection_closed(site_.destination);
    learn_from(false);
    const bool fruitless = taken_ > 0 && dialogue_.completed() == 0;
    // TLS that never gets as far as a message is no better than one that fails at once.
    if (fruitless && step_ == Step::lost && encryption_ == Encryption::on) {
        note_broken_tls(TlsMemory::Fault::fruitless);
    }
    co_return fruitless ? SessionEnd::fruitless : SessionEnd::served;
}

core::Task<void> Session::converse() {
    while (!is_over()) {
        take_work();
        time_transaction();
        parts_.clear();
        dialogue_.compose(parts_);
        if (!parts_.empty()) {
            co_await write();
        } else if (!dialogue_.idle()) {
            co_await read();
        } else if (deliveries_left_ == 0 || worker_.detour() != nullptr || !source_.keeps_idle()) {
            dialogue_.quit();
        } else {
            co_await wait_idle();
        }
    }
    settle_finished();
}

core::Task<void> Session::wait_idle() {
    move_to(Step::idle);
    ++context_.idle;
    source_.becomes_idle(worker_);
    co_await read();
    if (step_ == Step::idle) move_to(Step::serving);
    --context_.idle;
    source_.becomes_busy(worker_);
}

// Takes what the dialogue can begin: the next message is always at hand when a reply comes.
void Session::take_work() {
    while (deliveries_left_ > 0 && dialogue_.can_begin()) {
        const auto slot = std::ranges::find_if(
            deliveries_, [](const Delivery& delivery) { return delivery.recipients.empty(); });
        PH_ASSERT(slot != deliveries_.end());
        switch (source_.take_work(worker_, *slot, allowance())) {
            case WorkSource::Taken::taken:
                break;
            case WorkSource::Taken::nothing:
                return;
            case WorkSource::Taken::other_domain:
                deliveries_left_ = 0;
                return;
        }
        --deliveries_left_;
        ++taken_;
        note_domain(*slot);
        openings_.carries(slot->recipients.front()->domain());
        slot->fill_transaction(context_.shard.wall());
        dialogue_.begin(slot->transaction);
        settle_finished();  // refused without being sent
        // This host lacks it too: it would only be asked the same again.
        if (worker_.detour() != nullptr && slot->recipients.empty()) deliveries_left_ = 0;
    }
}

// A session ends after as many messages as the server says (RFC 9422), or as it showed to take.
void Session::keep_to_limits() {
    const auto most = [this](std::size_t messages) {
        if (messages > 0)
            deliveries_left_ =
                static_cast<std::uint32_t>(std::min<std::size_t>(deliveries_left_, messages));
    };
    most(dialogue_.extensions().mail_max);
    HostMemory::Habits* known = context_.hosts.known_habits(learned_endpoint_);
    if (known != nullptr) most(known->cap.most(context_.shard.now()));
}

WorkSource::Allowance Session::allowance() const {
    const Extensions& offered = dialogue_.extensions();
    WorkSource::Allowance allowed{.recipients = site_.limits.max_recipients_per_batch};
    if (offered.rcpt_max > 0) {
        allowed.recipients = std::min<std::size_t>(allowed.recipients, offered.rcpt_max);
    }
    if (offered.rcpt_domain_max > 0 && domains_.size() >= offered.rcpt_domain_max) {
        allowed.domains = &domains_;
    }
    return allowed;
}

void Session::note_domain(const Delivery& delivery) {
    if (dialogue_.extensions().rcpt_domain_max == 0) return;
    const std::string_view domain = delivery.recipients.front()->domain();
    const auto same = [domain](const std::string& one) {
        return core::equals_ignoring_case(one, domain);
    };
    if (std::ranges::none_of(domains_, same)) domains_.emplace_back(domain);
}

// Of the oldest transaction, while it may be given up without making a duplicate.
void Session::time_transaction() {
    const Transaction* oldest = dialogue_.uploading();
    if (oldest == nullptr) return clock_.let_it_be();
    if (clock_.times(dialogue_.transactions_over())) return;
    const auto slot = std::ranges::find_if(deliveries_, [oldest](const Delivery& delivery) {
        return &delivery.transaction == oldest;
    });
    PH_ASSERT(slot != deliveries_.end() && !slot->recipients.empty());
    clock_.start_transaction(dialogue_.transactions_over(), context_.shard.now(),
                             oldest->content->stuffed_size(),
                             slot->expires - context_.shard.wall());
}

core::Task<bool> Session::write() {
    // The dialogue gives large content in slices, so this deadline is one of progress, not of size.
    stream_->set_deadline(clock_.write_due(context_.shard.now(), times_.data_block));
    const auto written = co_await stream_->write(parts_);
    if (written) co_return true;
    co_await hear_last_words("sending: " + written.error().message());
    co_return false;
}

// A server that refuses early, or closes after the reply to a message, said so before our writing
// failed: what it said counts, above all a 250 (RFC 5321 section 4.2.5).
core::Task<void> Session::hear_last_words(std::string reason) {
    stream_->set_deadline(context_.shard.now() + kLastWords);
    while (!is_over()) {
        const auto input = co_await stream_->read();
        if (!input && input.error().value() == EINTR) continue;
        if (!input || input->empty()) break;
        const std::size_t length = input->size();
        take_events(*input);
        stream_->consume(length);
    }
    if (is_over()) co_return;
    note_silent_close();
    dialogue_.connection_lost(reason, false);
    end(Step::lost);
}

// A connection to each of very many sites would cost more than making it again.
core::Duration Session::idle_for() const {
    const EgressOptions& options = context_.options;
    const core::Duration idle = times_.idle;
    return context_.idle > options.many_idle ? std::min(options.briefly_idle, idle) : idle;
}

core::Task<bool> Session::read() {
    const bool idles = step_ == Step::idle;
    const core::Duration patience = idles ? idle_for() : core::Duration{dialogue_.timeout()};
    const std::uint64_t awaited = dialogue_.replies() * 2 + (idles ? 1 : 0);
    stream_->set_deadline(clock_.reply_due(awaited, context_.shard.now(), patience));
    const auto input = co_await stream_->read();
    if (!input) {
        note_lost(input.error());
        co_return !is_over();
    }
    if (input->empty()) {
        note_silent_close();
        dialogue_.connection_lost("the server closed the connection", true);
        end(Step::lost);
        co_return false;
    }
    const std::size_t length = input->size();
    const bool going_on = take_events(*input);
    stream_->consume(length);
    co_return going_on;
}

void Session::note_lost(const std::error_code& error) {
    if (error.value() == EINTR) return;  // woken: there is work
    if (error.value() == ETIMEDOUT && step_ == Step::idle) return dialogue_.quit();
    if (error.value() == ETIMEDOUT) {
        const std::string awaited(dialogue_.awaited());
        const bool all = clock_.is_over(context_.shard.now());
        dialogue_.timed_out(all ? "given up, as it took too long, at " + awaited
                                : "no reply to " + awaited + " in time");
        return end(Step::over);
    }
    note_silent_close();
    dialogue_.connection_lost(error.message(), true);
    end(Step::lost);
}

bool Session::take_events(std::string_view input) {
    using Event = ClientDialogue::Event;
    while (true) {
        const Event event = dialogue_.receive(input);
        note_refused_parameters();
        switch (event) {
            case Event::need_input:
                return true;
            case Event::ready:
                break;
            case Event::start_tls:
                move_to(Step::tls_due);
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
                end(Step::over);
                return false;
        }
    }
}

void Session::settle_finished() {
    if (dialogue_.completed() > 0) note_success();
    std::array<Transaction*, ClientDialogue::kMaxOpenTransactions> finished;
    std::size_t count = 0;
    while (Transaction* transaction = dialogue_.take_finished()) {
        PH_ASSERT(count < finished.size());
        finished[count++] = transaction;
    }
    while (count-- > 0) {  // the newest first: what goes back to the front keeps its order
        const auto slot = std::ranges::find_if(deliveries_, [&](const Delivery& delivery) {
            return &delivery.transaction == finished[count];
        });
        PH_ASSERT(slot != deliveries_.end());
        settle(*slot);
    }
}

void Session::settle(Delivery& delivery) {
    const Transaction& transaction = delivery.transaction;
    bool told = false;
    for (Disposition& result : delivery.transaction.results) {
        if (result.outcome == Outcome::none) continue;
        result.peer_name = approach_.target.host;
        result.peer_address = peer_address_;
        result.source_address = source_address_;
        result.session_id = id_;
        result.tls_protocol = tls_protocol_;
        result.tls_cipher = tls_cipher_;
        result.dsn_passed = transaction.dsn_passed;
        result.by_passed = transaction.by_passed;
        if (result.ambiguous_end && !std::exchange(told, true)) note_ambiguous_end(delivery);
    }
    source_.settle(worker_, delivery);
    PH_ASSERT(delivery.recipients.empty());
}

// The server may have the message, and will be given it again (RFC 5321 section 3.8).
void Session::note_ambiguous_end(const Delivery& delivery) const {
    context_.metrics.ambiguous_end();
    const Message& message = *delivery.recipients.front()->message;
    const std::string head = message.content.head(kHeadForMessageId);
    core::log_warning(
        "message {} (Message-ID {}) to {} [{}]: no reply to the end of data; it goes "
        "again and may arrive twice",
        message.id.to_string(), core::escaped(header_field(head, "Message-ID")),
        approach_.target.host, peer_address_);
}

}  // namespace relay
