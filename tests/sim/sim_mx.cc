#include "tests/sim/sim_mx.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "core/runtime/next_turn.h"

namespace sim {

namespace {

using Ending = Verdict::Ending;

bool begins_with(std::string_view line, std::string_view word) {
    return line.size() >= word.size() &&
           std::ranges::equal(line.substr(0, word.size()), word, [](char a, char b) {
               return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b;
           });
}

std::string mailbox_of(std::string_view line) {
    const auto open = line.find('<');
    const auto close = line.find('>', open);
    if (open == std::string_view::npos || close == std::string_view::npos) return {};
    return std::string(line.substr(open + 1, close - open - 1));
}

}  // namespace

// One connection as the server sees it.
class SimMx::Session {
  public:
    // The stream may be wrapped in TLS on the way.
    Session(SimMx& mx, std::unique_ptr<core::ByteStream>& stream, std::uint64_t number)
        : mx_(mx), stream_(stream), number_(number) {}

    core::Task<void> run();
    void abort() {
        aborted_ = true;
        stream_->abort();
    }
    std::uint64_t number() const { return number_; }
    bool resets() const { return reset_; }

  private:
    core::Task<bool> fill();
    core::Task<std::optional<std::string>> line();
    core::Task<bool> say(std::string reply);
    core::Task<bool> flush();
    core::Task<void> pause(core::Duration span);
    core::Task<bool> answer(Stage stage, std::string argument, std::string friendly);
    core::Task<bool> command(std::string text);
    core::Task<bool> hello(std::string text);
    core::Task<bool> starttls();
    core::Task<bool> secure();
    core::Task<bool> auth(std::string text);
    bool pipelines() const {
        return encrypted_ ? mx_.options_.pipelining_in_tls : mx_.options_.pipelining;
    }
    void mind_parameters(const std::string& text);
    core::Task<bool> mail(std::string text);
    core::Task<bool> rcpt(std::string text);
    core::Task<bool> data();
    core::Task<bool> chunk(std::string text);
    core::Task<bool> end_of_content(std::string content, bool by_chunk);
    core::Task<bool> give(Verdict verdict, std::string friendly);
    Verdict ask(Stage stage, std::string_view argument) const;
    void take(const std::string& content, bool by_chunk, std::uint64_t reply_end);
    void forget_transaction();
    bool whole_line() const { return input_.find('\n') != std::string::npos; }

    SimMx& mx_;
    std::unique_ptr<core::ByteStream>& stream_;
    std::uint64_t number_;
    // Read at once, and in one step of the loop.
    static constexpr std::size_t kFill = 16 * 1024;
    std::size_t since_turn_ = 0;
    std::string input_;
    std::string output_;
    std::uint64_t said_ = 0;    // octets of replies so far
    std::size_t confused_ = 0;  // octets of input_ that are answered with 503
    std::uint16_t code_ = 0;    // of the reply given last
    bool extended_ = false;
    bool greeted_ = false;
    bool encrypted_ = false;
    bool authenticated_ = false;
    bool utf8_ = false;  // of this transaction
    bool in_mail_ = false;
    bool reset_ = false;
    bool aborted_ = false;
    std::string line_;  // the command that is being answered
    std::string sender_;
    std::vector<std::string> recipients_;
    std::string chunks_;
    std::size_t messages_ = 0;
};

SimMx::SimMx(SimWorld& world, core::SocketAddress address, MxOptions options)
    : world_(world),
      shard_(world.outside()),
      address_(address),
      options_(std::move(options)),
      tasks_(shard_.reactor()) {}

SimMx::~SimMx() {
    PH_ASSERT(running_ == 0);
}

void SimMx::start() {
    listener_ = std::make_unique<core::Listener>(shard_);
    const auto opened = listener_->open(address_);
    PH_ASSERT(opened.has_value());
    ++running_;
    tasks_.spawn(serve());
}

void SimMx::stop() {
    listener_->stop();
    for (Session* session : sessions_)
        session->abort();
}

core::Task<void> SimMx::serve() {
    while (auto stream = co_await listener_->accept()) {
        ++running_;
        tasks_.spawn(one_session(std::move(stream)));
    }
    co_await listener_->close();
    --running_;
}

core::Task<void> SimMx::one_session(std::unique_ptr<core::TcpStream> accepted) {
    session_times_.push_back(shard_.now());
    core::TcpStream& tcp = *accepted;
    std::unique_ptr<core::ByteStream> stream = std::move(accepted);
    Session session(*this, stream, session_times_.size());
    sessions_.insert(&session);
    peak_ = std::max(peak_, sessions_.size());
    co_await session.run();
    sessions_.erase(&session);
    if (session.resets()) tcp.reset_on_close();
    co_await stream->close();
    --running_;
}

void SimMx::violation(const Session& session, std::string_view what) {
    violations_.push_back(options_.name + " session " + std::to_string(session.number()) + ": " +
                          std::string(what));
}

bool SimMx::greylisted(const std::string& sender, const std::string& recipient) {
    if (options_.greylist_for == core::Duration{}) return false;
    const auto [entry, first] = greylist_.try_emplace(sender + '\n' + recipient, shard_.now());
    return shard_.now() - entry->second < options_.greylist_for;
}

bool SimMx::reply_arrived(const Taken& taken) const {
    return world_.network().arrived_at_client(taken.client) >= taken.reply_end;
}

// ---- Input and output

core::Task<bool> SimMx::Session::fill() {
    const core::Duration patience = mx_.options_.idle_close;
    if (patience > core::Duration{}) stream_->set_deadline(mx_.shard_.now() + patience);
    const auto input = co_await stream_->read();
    if (!input || input->empty()) co_return false;
    std::size_t taken = input->size();
    input_ += *input;
    stream_->consume(input->size());
    while (stream_->has_input() && taken < kFill) {
        const auto more = co_await stream_->read();
        if (!more || more->empty()) break;
        taken += more->size();
        input_ += *more;
        stream_->consume(more->size());
    }
    since_turn_ = stream_->has_input() ? since_turn_ + taken : 0;
    if (since_turn_ < kFill) co_return true;
    since_turn_ = 0;
    co_await core::NextTurn{mx_.shard_.reactor()};
    co_return true;
}

core::Task<std::optional<std::string>> SimMx::Session::line() {
    while (!whole_line()) {
        if (!co_await flush()) co_return std::nullopt;
        if (!co_await fill()) co_return std::nullopt;
    }
    const std::size_t end = input_.find('\n');
    std::string text = input_.substr(0, end);
    input_.erase(0, end + 1);
    confused_ -= std::min(confused_, end + 1);
    if (text.empty() || text.back() != '\r') {
        mx_.violation(*this, "a line that does not end in CRLF");
    } else {
        text.pop_back();
    }
    if (text.size() > 1000) mx_.violation(*this, "a line of more than 1000 octets");
    co_return text;
}

core::Task<void> SimMx::Session::pause(core::Duration span) {
    core::Event never(mx_.shard_.reactor());
    // In steps, so that a stopped server does not sleep on.
    const core::Instant end = mx_.shard_.now() + span;
    while (mx_.shard_.now() < end && !aborted_) {
        co_await never.wait(std::min(end, mx_.shard_.now() + std::chrono::minutes{1}));
    }
}

core::Task<bool> SimMx::Session::flush() {
    if (output_.empty()) co_return true;
    const std::string out = std::move(output_);
    output_.clear();
    const auto written = co_await stream_->write(out);
    co_return written.has_value();
}

// Replies leave together while there is more to answer (RFC 2920 section 3.2).
core::Task<bool> SimMx::Session::say(std::string reply) {
    code_ = 0;
    std::from_chars(reply.data(), reply.data() + reply.size(), code_);
    output_ += reply + "\r\n";
    said_ += reply.size() + 2;
    if (mx_.options_.holds_replies && whole_line()) co_return true;
    if (whole_line() && mx_.world_.prng().below(4) != 0) co_return true;
    co_return co_await flush();
}

Verdict SimMx::Session::ask(Stage stage, std::string_view argument) const {
    if (!mx_.options_.script) return {};
    return mx_.options_.script(
        {stage, argument, line_, number_, messages_, recipients_.size(), mx_.shard_.now()});
}

// False: the session is over.
core::Task<bool> SimMx::Session::answer(Stage stage, std::string argument, std::string friendly) {
    co_return co_await give(ask(stage, argument), std::move(friendly));
}

core::Task<bool> SimMx::Session::give(Verdict verdict, std::string friendly) {
    if (verdict.delay > core::Duration{}) {
        if (!co_await flush()) co_return false;
        co_await pause(verdict.delay);
    }
    if (verdict.ending == Ending::stall) {
        if (!co_await flush()) co_return false;
        while (co_await fill())
            continue;
        co_return false;
    }
    if (verdict.ending == Ending::drop || verdict.ending == Ending::reset) {
        reset_ = verdict.ending == Ending::reset;
        if (!reset_ && !mx_.options_.holds_replies) co_await flush();
        output_.clear();
        co_return false;
    }
    if (verdict.drip > core::Duration{}) {
        if (!co_await flush()) co_return false;
        for (const char c : (verdict.reply.empty() ? friendly : verdict.reply) + "\r\n") {
            output_ = c;
            if (!co_await flush()) co_return false;
            co_await pause(verdict.drip);
            if (aborted_) co_return false;
        }
        code_ = 250;
        co_return true;
    }
    const bool said = co_await say(verdict.reply.empty() ? friendly : verdict.reply);
    if (verdict.ending == Ending::stop_reading) {
        co_await flush();
        co_await pause(std::chrono::minutes{30});
        co_return false;
    }
    if (verdict.ending == Ending::close || code_ == 421) {
        co_await flush();
        co_return false;
    }
    co_return said;
}

// ---- The dialogue

core::Task<void> SimMx::Session::run() {
    if (mx_.options_.implicit_tls) {
        if (!co_await secure()) co_return;
    } else if (stream_->has_input()) {
        mx_.violation(*this, "talks before the greeting");
    }
    std::string greeting = "220 " + mx_.options_.name + " ESMTP";
    if (mx_.options_.connection_cap > 0 && mx_.sessions_.size() > mx_.options_.connection_cap) {
        greeting = "421 4.7.0 too many connections";
    }
    // After a refusal it waits for QUIT (RFC 5321 section 3.1).
    bool open = co_await answer(Stage::greeting, "", greeting);
    while (open) {
        std::optional<std::string> text = co_await line();
        if (!text) break;
        if (!pipelines() && whole_line() && !begins_with(*text, "BDAT ")) {
            mx_.violation(*this, "a group of commands without PIPELINING: " + *text);
        }
        open = co_await command(std::move(*text));
    }
    co_await flush();
}

core::Task<bool> SimMx::Session::command(std::string text) {
    line_ = text;
    const bool confused = confused_ > 0;
    if (confused &&
        (begins_with(text, "MAIL") || begins_with(text, "RCPT") || begins_with(text, "DATA"))) {
        co_return co_await say("503 5.5.1 bad sequence of commands");
    }
    if (begins_with(text, "EHLO") || begins_with(text, "HELO")) {
        co_return co_await hello(std::move(text));
    }
    if (begins_with(text, "QUIT")) {
        co_await answer(Stage::quit, "", "221 2.0.0 bye");
        if (!input_.empty()) mx_.violation(*this, "input after QUIT");
        co_return false;
    }
    if (begins_with(text, "RSET")) {
        forget_transaction();
        co_return co_await answer(Stage::rset, "", "250 2.0.0 reset");
    }
    if (begins_with(text, "STARTTLS")) co_return co_await starttls();
    if (begins_with(text, "AUTH ")) co_return co_await auth(std::move(text));
    if (begins_with(text, "NOOP")) co_return co_await say("250 2.0.0 ok");
    if (begins_with(text, "MAIL FROM:")) co_return co_await mail(std::move(text));
    if (begins_with(text, "RCPT TO:")) co_return co_await rcpt(std::move(text));
    if (begins_with(text, "DATA")) co_return co_await data();
    if (begins_with(text, "BDAT ")) co_return co_await chunk(std::move(text));
    mx_.violation(*this, "unknown command: " + text.substr(0, 60));
    co_return co_await say("500 5.5.2 unknown command");
}

core::Task<bool> SimMx::Session::hello(std::string text) {
    const MxOptions& options = mx_.options_;
    const bool extended = begins_with(text, "EHLO");
    if (text.size() <= 5) mx_.violation(*this, "a greeting without a name");
    if (extended && !options.esmtp) {
        co_return co_await answer(Stage::hello, text, "502 5.5.1 EHLO is not known here");
    }
    forget_transaction();
    std::string reply = "250";
    if (extended) {
        reply = "250-" + options.name;
        if (pipelines()) reply += "\r\n250-PIPELINING";
        if (options.tls != nullptr && !encrypted_) reply += "\r\n250-STARTTLS";
        if (!options.auth.empty() && encrypted_) reply += "\r\n250-AUTH " + options.auth;
        if (options.chunking) reply += "\r\n250-CHUNKING";
        if (options.eight_bit) reply += "\r\n250-8BITMIME";
        if (options.dsn) reply += "\r\n250-DSN";
        if (options.utf8) reply += "\r\n250-SMTPUTF8";
        if (options.size_limit > 0) reply += "\r\n250-SIZE " + std::to_string(options.size_limit);
        for (const std::string& offer : options.offers)
            reply += "\r\n250-" + offer;
        reply += "\r\n250 ENHANCEDSTATUSCODES";
    } else {
        reply = "250 " + options.name;
    }
    if (!co_await answer(Stage::hello, text, reply)) co_return false;
    if (code_ == 250) {
        greeted_ = true;
        extended_ = extended;
    }
    co_return true;
}

core::Task<bool> SimMx::Session::starttls() {
    if (!extended_ || encrypted_ || mx_.options_.tls == nullptr) {
        mx_.violation(*this, "STARTTLS that was not offered");
    }
    if (!input_.empty()) mx_.violation(*this, "STARTTLS is not the last of its group");
    if (!co_await answer(Stage::starttls, "", "220 2.0.0 ready")) co_return false;
    if (!co_await flush()) co_return false;
    if (code_ != 220) co_return true;
    co_return co_await secure();
}

// What was learned before is forgotten (RFC 3207 section 4.2).
core::Task<bool> SimMx::Session::secure() {
    switch (mx_.options_.handshake) {
        case Handshake::proper:
            break;
        case Handshake::stall:
            while (co_await fill())
                continue;
            co_return false;
        case Handshake::garbage:
            co_await fill();  // before the client has spoken it would be after the 220
            co_await stream_->write("this is not TLS, it only looks like a long line of text\r\n");
            co_await pause(std::chrono::seconds{1});
            co_return false;
        case Handshake::close_behind:
            break;
        case Handshake::close:
            co_return false;
    }
    auto tls =
        std::make_unique<core::TlsStream>(mx_.shard_.reactor(), std::move(stream_),
                                          std::make_unique<core::TlsEngine>(*mx_.options_.tls));
    core::TlsStream& secured = *tls;
    stream_ = std::move(tls);
    if (!co_await secured.handshake()) co_return false;
    if (mx_.options_.handshake == Handshake::close_behind) co_return false;
    ++mx_.encrypted_;
    if (secured.engine().resumed()) ++mx_.resumed_;
    encrypted_ = true;
    extended_ = greeted_ = false;
    forget_transaction();
    co_return true;
}

core::Task<bool> SimMx::Session::auth(std::string text) {
    if (!encrypted_ || authenticated_) mx_.violation(*this, "AUTH out of its place");
    const bool right = text == "AUTH PLAIN " + mx_.options_.credentials;
    if (!co_await answer(Stage::auth, text, right ? "235 2.7.0 welcome" : "535 5.7.8 no")) {
        co_return false;
    }
    authenticated_ = code_ == 235;
    co_return true;
}

// What was not offered is not to be used (RFC 5321 section 4.1.1.11).
void SimMx::Session::mind_parameters(const std::string& text) {
    const MxOptions& options = mx_.options_;
    const auto mind = [&](std::string_view parameter, bool offered) {
        if (offered && extended_) return;
        if (text.contains(parameter)) mx_.violation(*this, "not offered: " + text);
    };
    mind(" BODY=", options.eight_bit);
    mind(" SIZE=", options.size_limit > 0);
    mind(" SMTPUTF8", options.utf8);
    for (const std::string_view parameter : {" RET=", " ENVID=", " NOTIFY=", " ORCPT="})
        mind(parameter, options.dsn);
    if (begins_with(text, "MAIL")) utf8_ = text.contains(" SMTPUTF8");
    const bool ascii = std::ranges::all_of(text, [](char c) { return c >= 0; });
    if (!ascii && !utf8_) mx_.violation(*this, "UTF-8 without SMTPUTF8: " + text);
}

core::Task<bool> SimMx::Session::mail(std::string text) {
    if (!mx_.options_.auth.empty() && !authenticated_) mx_.violation(*this, "MAIL before AUTH");
    if (!greeted_) mx_.violation(*this, "MAIL before EHLO");
    if (in_mail_) {
        mx_.violation(*this, "MAIL within a transaction");
        co_return co_await say("503 5.5.1 nested MAIL");
    }
    mind_parameters(text);
    sender_ = mailbox_of(text);
    if (!co_await answer(Stage::mail, sender_, "250 2.1.0 sender ok")) co_return false;
    in_mail_ = code_ == 250;
    co_return true;
}

core::Task<bool> SimMx::Session::rcpt(std::string text) {
    if (!in_mail_) co_return co_await say("503 5.5.1 MAIL first");
    mind_parameters(text);
    const std::string recipient = mailbox_of(text);
    const bool later = mx_.greylisted(sender_, recipient);
    if (!co_await answer(Stage::rcpt, recipient,
                         later ? "451 4.7.1 greylisted" : "250 2.1.5 recipient ok")) {
        co_return false;
    }
    if (code_ >= 200 && code_ < 300) recipients_.push_back(recipient);
    co_return true;
}

core::Task<bool> SimMx::Session::data() {
    if (!in_mail_) co_return co_await say("503 5.5.1 MAIL first");
    if (!co_await answer(Stage::data, "",
                         recipients_.empty() ? "554 5.5.1 no valid recipients" : "354 go ahead")) {
        co_return false;
    }
    if (code_ != 354) co_return true;
    if (!input_.empty()) mx_.violation(*this, "content before the reply to DATA");
    std::string content;
    while (true) {
        std::optional<std::string> text = co_await line();
        if (!text) co_return false;
        if (*text == ".") break;
        content += text->starts_with('.') ? text->substr(1) : *text;
        content += "\r\n";
    }
    co_return co_await end_of_content(std::move(content), false);
}

core::Task<bool> SimMx::Session::chunk(std::string text) {
    std::size_t size = 0;
    const char* end = text.data() + text.size();
    const auto number = std::from_chars(text.data() + 5, end, size);
    const bool last = std::string_view(number.ptr, end) == " LAST";
    if (number.ec != std::errc{} || (!last && number.ptr != end)) {
        mx_.violation(*this, "malformed: " + text);
        co_return false;
    }
    if (!mx_.options_.chunking) mx_.violation(*this, "BDAT without CHUNKING");
    if (!mx_.options_.holds_replies && !co_await flush()) co_return false;
    while (input_.size() < size) {
        if (!co_await fill()) co_return false;
    }
    chunks_ += input_.substr(0, size);
    input_.erase(0, size);
    if (!in_mail_) co_return co_await say("503 5.5.1 MAIL first");  // RFC 3030 section 2
    if (recipients_.empty()) {
        if (last) forget_transaction();
        co_return co_await say("554 5.5.1 no valid recipients");
    }
    if (!last) co_return co_await say("250 2.0.0 chunk ok");
    std::string content = std::move(chunks_);
    co_return co_await end_of_content(std::move(content), true);
}

core::Task<bool> SimMx::Session::end_of_content(std::string content, bool by_chunk) {
    mx_.content_times_.push_back(mx_.shard_.now());
    if (begins_with(input_, "MAIL")) ++mx_.groups_;
    if (mx_.options_.content_delay > core::Duration{}) {
        if (!co_await flush()) co_return false;
        co_await pause(mx_.options_.content_delay);
    }
    if (mx_.options_.forgets_group_behind_dot && !by_chunk) {
        if (!co_await flush()) co_return false;
        while (stream_->has_input()) {
            if (!co_await fill()) break;
        }
        confused_ = input_.size();
    }
    const Verdict verdict = ask(Stage::content, content);
    const bool swallowed = verdict.ending == Ending::drop || verdict.ending == Ending::reset ||
                           verdict.ending == Ending::stall;
    const bool friendly = verdict.reply.empty() || verdict.reply.starts_with('2');
    const bool takes = !recipients_.empty() && (swallowed ? verdict.took_it : friendly);
    const std::string usual =
        recipients_.empty() ? "554 5.5.1 no valid recipients" : "250 2.0.0 taken";
    if (takes) {
        const std::string& reply = verdict.reply.empty() ? usual : verdict.reply;
        take(content, by_chunk, swallowed ? UINT64_MAX : said_ + reply.size() + 2);
    }
    forget_transaction();
    const bool open = co_await give(verdict, usual);
    const std::size_t limit = mx_.options_.close_after;
    if (open && limit > 0 && messages_ >= limit) {
        co_await flush();
        co_return false;
    }
    co_return open;
}

void SimMx::Session::take(const std::string& content, bool by_chunk, std::uint64_t reply_end) {
    ++messages_;
    for (const std::string& recipient : recipients_) {
        mx_.ledger_.push_back({sender_, recipient, content, mx_.shard_.now(), number_,
                               stream_->peer(), reply_end, by_chunk, encrypted_});
    }
}

void SimMx::Session::forget_transaction() {
    in_mail_ = false;
    sender_.clear();
    recipients_.clear();
    chunks_.clear();
}

}  // namespace sim
