#include "bench/load/source_session.h"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "core/net/connector.h"

namespace bench {
namespace {

constexpr std::string_view kEnd = ".\r\n";

bool positive(int code) {
    return code >= 200 && code < 300;
}

}  // namespace

SourceSession::SourceSession(core::Shard& shard, LoadPlan& plan, const SourceOptions& options,
                             SourceTotals& totals, core::Instant started)
    : shard_(shard),
      plan_(plan),
      options_(options),
      totals_(totals),
      started_(started),
      never_(shard.reactor()) {}

core::Task<void> SourceSession::run() {
    while (failures_ < kMaxFailures) {
        if (!current_ && !claim_next()) break;
        if (!current_) current_ = std::exchange(next_, {});
        if (!stream_ && !co_await connect()) {
            ++failures_;
            co_await never_.wait(shard_.now() + std::chrono::milliseconds{100});
            continue;
        }
        co_await await_turn();
        if (!co_await send_one()) {
            ++failures_;
            co_await disconnect(false);
            continue;
        }
        failures_ = 0;
        const bool enough = options_.messages_per_connection > 0 &&
                            ++sent_here_ >= options_.messages_per_connection;
        if (enough && !next_) co_await disconnect(true);
    }
    if (stream_) co_await disconnect(failures_ == 0);
}

bool SourceSession::claim_next() {
    if (next_) return true;
    const auto number = plan_.claim();
    if (!number) return false;
    next_ = Current{.draft = {}, .begun = {}, .envelope_sent = false};
    plan_.compose(*number, next_->draft);
    return true;
}

core::Task<void> SourceSession::await_turn() {
    const core::Duration offset = plan_.offset(current_->draft.number);
    const core::Instant due = started_ + offset;
    if (offset.count() > 0 && due > shard_.now()) co_await never_.wait(due);
    if (!current_->envelope_sent) current_->begun = offset.count() > 0 ? due : shard_.now();
}

core::Task<bool> SourceSession::connect() {
    auto connected = co_await core::connect(shard_, options_.target, std::nullopt,
                                            shard_.now() + options_.timeout);
    if (!connected) {
        broken("connect: " + connected.error().message());
        co_return false;
    }
    stream_ = std::move(*connected);
    ++totals_.connections;
    sent_here_ = 0;
    input_.clear();
    parsed_ = 0;
    needs_reset_ = false;
    if (!positive(co_await reply())) {
        co_await disconnect(false);
        co_return false;
    }
    bool alive = co_await command("EHLO " + options_.hostname + "\r\n");
    if (alive && !positive(code_)) alive = co_await command("HELO " + options_.hostname + "\r\n");
    if (!alive || !positive(code_)) {
        co_await disconnect(false);
        co_return false;
    }
    co_return true;
}

core::Task<void> SourceSession::disconnect(bool politely) {
    if (politely) co_await command("QUIT\r\n");
    co_await stream_->close();
    stream_.reset();
    if (current_) current_->envelope_sent = false;
    if (next_) next_->envelope_sent = false;
}

void SourceSession::broken(std::string reason) {
    ++totals_.errors[std::move(reason)];
    if (!std::exchange(dot_sent_, false)) return;
    ++totals_.unknown;
    current_.reset();
}

// The current message from its first command (or, sent before, its replies) to its final reply.
core::Task<bool> SourceSession::send_one() {
    stream_->set_deadline(shard_.now() + options_.timeout);
    refused_recipients_ = 0;
    if (std::exchange(needs_reset_, false) && !co_await command("RSET\r\n")) co_return false;
    if (options_.mode == SendMode::bdat) co_return co_await send_by_bdat();
    if (!co_await open_transaction()) co_return false;
    if (code_ != 354) {  // a refused transaction: the code was noted
        finish(code_);
        needs_reset_ = true;
        co_return true;
    }
    co_return co_await send_content();
}

// Afterwards code_ is 354, or why the message cannot go.
core::Task<bool> SourceSession::open_transaction() {
    const Draft& draft = current_->draft;
    if (options_.mode != SendMode::lockstep) {
        if (!std::exchange(current_->envelope_sent, false)) {
            group_.clear();
            append_envelope(group_, draft, true);
            const auto sent = co_await stream_->write(group_);
            if (!sent) {
                broken("write: " + sent.error().message());
                co_return false;
            }
        }
        co_return co_await read_envelope_replies();
    }
    if (!co_await command(fmt::format("MAIL FROM:<{}>\r\n", plan_.options().sender)))
        co_return false;
    if (!positive(code_)) co_return true;
    int refusal = 0;
    for (const auto& recipient : draft.recipients) {
        if (!co_await command(fmt::format("RCPT TO:<{}>\r\n", recipient))) co_return false;
        if (positive(code_)) continue;
        refusal = code_;
        ++refused_recipients_;
    }
    if (refused_recipients_ == draft.recipients.size()) {
        code_ = refusal;
        co_return true;
    }
    co_return co_await command("DATA\r\n");
}

core::Task<bool> SourceSession::read_envelope_replies() {
    int refusal = 0;
    const int mail = co_await reply();
    if (mail == 0) co_return false;
    if (!positive(mail)) refusal = mail;
    for (std::size_t i = 0; i < current_->draft.recipients.size(); ++i) {
        const int rcpt = co_await reply();
        if (rcpt == 0) co_return false;
        if (positive(rcpt)) continue;
        if (refusal == 0) refusal = rcpt;
        ++refused_recipients_;
    }
    const int data = co_await reply();
    if (data == 0) co_return false;
    code_ = data;
    const bool nobody = !positive(mail) || refused_recipients_ == current_->draft.recipients.size();
    if (!nobody) co_return true;
    if (data == 354) {  // nothing to send to nobody: an empty message (RFC 2920 section 3.1)
        if (!co_await command(std::string(kEnd))) co_return false;
    }
    code_ = refusal;
    co_return true;
}

core::Task<bool> SourceSession::send_content() {
    group_.clear();
    bool goes_along = false;
    const bool last_here =
        options_.messages_per_connection > 0 && sent_here_ + 1 >= options_.messages_per_connection;
    if (options_.mode == SendMode::next && !last_here && claim_next()) {
        const core::Duration offset = plan_.offset(next_->draft.number);
        goes_along = offset.count() == 0 || started_ + offset <= shard_.now();
        if (goes_along) {
            append_envelope(group_, next_->draft, true);
            next_->begun = offset.count() > 0 ? started_ + offset : shard_.now();
            next_->envelope_sent = true;
        }
    }
    parts_ = {core::as_iovec(current_->draft.header), core::as_iovec(plan_.stuffed_body()),
              core::as_iovec(kEnd), core::as_iovec(group_)};
    dot_sent_ = true;
    const auto sent = co_await stream_->write(std::span(parts_).first(goes_along ? 4 : 3));
    if (!sent) {
        broken("write: " + sent.error().message());
        co_return false;
    }
    const int code = co_await reply();
    if (code == 0) co_return false;
    finish(code);
    co_return true;
}

core::Task<bool> SourceSession::send_by_bdat() {
    const Draft& draft = current_->draft;
    group_.clear();
    append_envelope(group_, draft, false);
    fmt::format_to(std::back_inserter(group_), "BDAT {} LAST\r\n",
                   draft.header.size() + plan_.body().size());
    parts_ = {core::as_iovec(group_), core::as_iovec(draft.header), core::as_iovec(plan_.body())};
    dot_sent_ = true;
    const auto sent = co_await stream_->write(std::span(parts_).first(3));
    if (!sent) {
        broken("write: " + sent.error().message());
        co_return false;
    }
    int refusal = 0;
    for (std::size_t i = 0; i < draft.recipients.size() + 2; ++i) {
        const int code = co_await reply();
        if (code == 0) co_return false;
        code_ = code;
        if (positive(code)) continue;
        if (refusal == 0) refusal = code;
        if (i > 0 && i <= draft.recipients.size()) ++refused_recipients_;
    }
    finish(positive(code_) ? code_ : refusal);
    needs_reset_ = !positive(code_);
    co_return true;
}

void SourceSession::finish(int code) {
    dot_sent_ = false;
    if (positive(code)) {
        ++totals_.accepted;
        totals_.accepted_recipients += current_->draft.recipients.size() - refused_recipients_;
        totals_.rejected_recipients += refused_recipients_;
        totals_.octets += current_->draft.header.size() + plan_.body().size();
        totals_.latency.add(shard_.now() - current_->begun);
    } else {
        ++totals_.rejected;
        ++totals_.refusals[code];
    }
    current_.reset();
}

core::Task<bool> SourceSession::command(std::string line) {
    const auto sent = co_await stream_->write(line);
    if (!sent) {
        broken("write: " + sent.error().message());
        co_return false;
    }
    code_ = co_await reply();
    co_return code_ != 0;
}

// One whole reply, its last line's code.
core::Task<int> SourceSession::reply() {
    for (;;) {
        for (;;) {
            const auto end = input_.find('\n', parsed_);
            if (end == std::string::npos) break;
            const std::string_view line = std::string_view(input_).substr(parsed_, end - parsed_);
            parsed_ = end + 1;
            if (line.size() > 3 && line[3] == '-') continue;
            const auto digit = [line](std::size_t i) { return line[i] - '0'; };
            const int code = line.size() < 3 ? 0 : digit(0) * 100 + digit(1) * 10 + digit(2);
            if (code < 200 || code > 599) {
                broken("not a reply");
                co_return 0;
            }
            co_return code;
        }
        input_.erase(0, parsed_);
        parsed_ = 0;
        auto read = co_await stream_->read();
        if (!read || read->empty()) {
            broken("read: " + (read ? std::string("closed by the peer") : read.error().message()));
            co_return 0;
        }
        input_ += *read;
        stream_->consume(read->size());
    }
}

void SourceSession::append_envelope(std::string& group, const Draft& draft, bool with_data) const {
    const auto out = std::back_inserter(group);
    fmt::format_to(out, "MAIL FROM:<{}>\r\n", plan_.options().sender);
    for (const auto& recipient : draft.recipients)
        fmt::format_to(out, "RCPT TO:<{}>\r\n", recipient);
    if (with_data) group += "DATA\r\n";
}

}  // namespace bench
