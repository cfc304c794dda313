#include "bench/load/sink_dialogue.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "core/base/ascii.h"

namespace bench {
namespace {

constexpr std::size_t kHeadLimit = 2048;  // X-Load-Id is looked for in so many octets

constexpr std::string_view kOk = "250 2.0.0 Ok\r\n";
constexpr std::string_view kSenderOk = "250 2.1.0 Ok\r\n";
constexpr std::string_view kRecipientOk = "250 2.1.5 Ok\r\n";
constexpr std::string_view kGoAhead = "354 End data with <CR><LF>.<CR><LF>\r\n";
constexpr std::string_view kAccepted = "250 2.0.0 Ok: taken\r\n";
constexpr std::string_view kBadSequence = "503 5.5.1 Bad sequence of commands\r\n";
constexpr std::string_view kSyntax = "501 5.5.4 Syntax error in arguments\r\n";

// What stands between < and >; empty optional when the argument is not `word:<...>`.
std::optional<std::string_view> path_of(std::string_view argument, std::string_view word) {
    if (!core::starts_with_ignoring_case(argument, word)) return {};
    argument = argument.substr(word.size());
    if (argument.empty() || argument.front() != '<') return {};
    const auto end = argument.find('>');
    if (end == std::string_view::npos) return {};
    return argument.substr(1, end - 1);
}

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return {};
    return number;
}

std::string unstuffed(std::string_view content) {
    std::string plain;
    plain.reserve(content.size());
    bool line_begins = true;
    for (const char c : content) {
        if (!(line_begins && c == '.')) plain += c;
        line_begins = c == '\n';
    }
    return plain;
}

}  // namespace

void compose_greetings(SinkContext& context) {
    const SinkOptions& options = context.options;
    context.banner = fmt::format("220 {} ESMTP Posthaste smtp_sink\r\n", options.hostname);
    std::vector<std::string> lines = {options.hostname};
    if (options.pipelining) lines.emplace_back("PIPELINING");
    lines.push_back(fmt::format("SIZE {}", options.max_size));
    if (options.eight_bit) lines.emplace_back("8BITMIME");
    if (options.enhanced_codes) lines.emplace_back("ENHANCEDSTATUSCODES");
    if (options.smtputf8) lines.emplace_back("SMTPUTF8");
    if (options.chunking) lines.emplace_back("CHUNKING");
    const auto reply = [&lines] {
        std::string text;
        for (const auto& line : lines)
            text += fmt::format("250{}{}\r\n", &line == &lines.back() ? ' ' : '-', line);
        return text;
    };
    context.ehlo = reply();
    if (!options.tls_certificate.empty() && !options.tls_implicit) lines.emplace_back("STARTTLS");
    context.ehlo_in_clear = reply();
}

void SinkDialogue::greet(core::Instant now) {
    now_ = now;
    answer(Stage::connect, {}, context_.banner);
}

void SinkDialogue::resume() {
    out_ += withheld_;
    withheld_.clear();
    pause_.reset();
}

std::size_t SinkDialogue::feed(std::string_view input, core::Instant now, core::WallTime wall) {
    now_ = now;
    wall_ = wall;
    std::size_t used = 0;
    while (used < input.size() && !pause_ && !wants_tls_) {
        const std::string_view rest = input.substr(used);
        used += state_ == State::command ? take_line(rest) : take_content(rest);
    }
    return used;
}

std::size_t SinkDialogue::take_line(std::string_view input) {
    const auto newline = input.find('\n');
    const std::size_t length = newline == std::string_view::npos ? input.size() : newline + 1;
    if (newline == std::string_view::npos || !line_.empty()) {
        if (line_.size() + length > kMaxLine) {
            line_too_long_ = true;
            line_ = " ";  // keeps the rest of the line on this path
        } else {
            line_ += input.substr(0, length);
        }
        if (newline == std::string_view::npos) return length;
    }
    const std::string joined = std::exchange(line_, {});
    std::string_view line = joined.empty() ? input.substr(0, length) : std::string_view(joined);
    if (std::exchange(line_too_long_, false)) {
        violation("500 5.5.2 Line too long\r\n");
        return length;
    }
    if (!line.ends_with("\r\n")) {
        violation("500 5.5.2 A line ends with CR LF\r\n");
        return length;
    }
    line.remove_suffix(2);
    if (in_group_ && !context_.options.pipelining) {
        violation("503 5.5.1 PIPELINING was not offered\r\n");
    } else if (after_dot_) {
        context_.counters.after_dot_503.add();
        out_ += kBadSequence;
    } else {
        command(line);
    }
    in_group_ = true;
    return length;
}

void SinkDialogue::command(std::string_view line) {
    const auto space = line.find(' ');
    const std::string_view verb = line.substr(0, space);
    const std::string_view argument =
        space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    const auto is = [verb](std::string_view name) {
        return core::equals_ignoring_case(verb, name);
    };
    if (is("MAIL")) return mail(argument);
    if (is("RCPT")) return rcpt(argument);
    if (is("DATA")) return data();
    if (is("BDAT")) return bdat(argument);
    if (is("EHLO") || is("HELO")) return hello(is("EHLO"));
    if (is("STARTTLS")) return starttls(argument);
    if (is("RSET")) {
        reset_transaction();
        answer(Stage::rset, {}, kOk);
    } else if (is("NOOP")) {
        answer(Stage::noop, {}, kOk);
    } else if (is("VRFY")) {
        out_ += "252 2.1.5 Send some mail and see\r\n";
    } else if (is("QUIT")) {
        answer(Stage::quit, {}, "221 2.0.0 Bye\r\n");
        if (!pause_) pause_ = Pause{.ending = Ending::close};
    } else {
        violation("500 5.5.2 Unknown command\r\n");
    }
}

void SinkDialogue::hello(bool extended) {
    reset_transaction();
    if (extended && !context_.options.esmtp) {
        out_ += "502 5.5.1 EHLO is not known here\r\n";
        return;
    }
    const std::string plain = fmt::format("250 {}\r\n", context_.options.hostname);
    if (!answer(Stage::ehlo, {},
                extended ? (secure_ ? context_.ehlo : context_.ehlo_in_clear) : plain)) {
        return;
    }
    greeted_ = true;
    extended_ = extended;
}

void SinkDialogue::starttls(std::string_view argument) {
    const bool offered = context_.ehlo_in_clear != context_.ehlo && extended_ && !secure_;
    if (!offered || in_transaction_) return violation(kBadSequence);
    if (!argument.empty()) return violation("501 5.5.4 No parameters allowed\r\n");
    wants_tls_ = answer(Stage::starttls, {}, "220 2.0.0 Ready to start TLS\r\n") && !pause_;
}

// RFC 3207 section 4.2: as if the connection had just begun.
void SinkDialogue::secured() {
    reset_transaction();
    wants_tls_ = greeted_ = extended_ = false;
    secure_ = true;
}

void SinkDialogue::mail(std::string_view argument) {
    if (!greeted_ || in_transaction_) return violation(kBadSequence);
    const auto sender = path_of(argument, "FROM:");
    if (!sender) return violation(kSyntax);
    std::string_view rest = argument.substr(std::string_view("FROM:<>").size() + sender->size());
    while (!rest.empty()) {
        const auto begin = rest.find_first_not_of(' ');
        if (begin == std::string_view::npos) break;
        rest = rest.substr(begin);
        const auto end = std::min(rest.find(' '), rest.size());
        const std::string_view parameter = rest.substr(0, end);
        rest = rest.substr(end);
        const SinkOptions& options = context_.options;
        if (core::starts_with_ignoring_case(parameter, "SIZE=")) {
            const auto size = number_of(parameter.substr(5));
            if (!size) return violation(kSyntax);
            if (*size > options.max_size) {
                context_.counters.rejected_messages.add();
                out_ += "552 5.3.4 Message too big\r\n";
                return;
            }
            if (extended_) continue;
        }
        const bool known =
            extended_ &&
            ((options.eight_bit && core::starts_with_ignoring_case(parameter, "BODY=")) ||
             (options.smtputf8 && core::equals_ignoring_case(parameter, "SMTPUTF8")));
        if (!known) return violation("555 5.5.4 Parameter was not offered\r\n");
    }
    sender_ = *sender;
    if (!answer(Stage::mail, sender_, kSenderOk)) {
        context_.counters.rejected_messages.add();
        return;
    }
    in_transaction_ = true;
}

void SinkDialogue::rcpt(std::string_view argument) {
    if (!in_transaction_) return violation(kBadSequence);
    const auto recipient = path_of(argument, "TO:");
    if (!recipient || recipient->empty()) return violation(kSyntax);
    if (recipient_count_ >= context_.options.max_recipients) {
        context_.counters.rejected_recipients.add();
        out_ += "452 4.5.3 Too many recipients\r\n";
        return;
    }
    if (recipients_.size() == recipient_count_) recipients_.emplace_back();
    recipients_[recipient_count_] = *recipient;
    if (answer(Stage::rcpt, *recipient, kRecipientOk)) {
        ++recipient_count_;
    } else {
        context_.counters.rejected_recipients.add();
    }
}

std::string_view SinkDialogue::first_recipient() const {
    return recipient_count_ > 0 ? std::string_view(recipients_.front()) : std::string_view{};
}

void SinkDialogue::data() {
    if (!in_transaction_ || content_begun_) return violation(kBadSequence);
    if (recipient_count_ == 0) {
        out_ += "554 5.5.1 No valid recipients\r\n";
        return;
    }
    if (!answer(Stage::data, first_recipient(), kGoAhead)) {
        context_.counters.rejected_messages.add();
        reset_transaction();
        return;
    }
    state_ = State::data;
    scanner_.reset();
}

void SinkDialogue::bdat(std::string_view argument) {
    const auto space = argument.find(' ');
    const auto size = number_of(argument.substr(0, space));
    if (!size) return violation(kSyntax);
    chunk_last_ = space != std::string_view::npos &&
                  core::equals_ignoring_case(core::trim(argument.substr(space)), "LAST");
    chunk_left_ = *size;
    chunk_refused_ = !extended_ || !context_.options.chunking || recipient_count_ == 0;
    state_ = State::chunk;
    if (chunk_left_ == 0) take_content({});
}

void SinkDialogue::content_begins() {
    content_begun_ = true;
    if (!context_.rules.has(Stage::content)) return;
    answer(Stage::content, first_recipient(), {});  // only an ending or a delay makes sense here
}

void SinkDialogue::keep(std::string_view octets) {
    content_octets_ += octets.size();
    if (context_.ledger.is_open() || context_.capture != nullptr) {
        head_ += octets.substr(0, kHeadLimit - std::min(head_.size(), kHeadLimit));
    }
    if (context_.capture != nullptr && whole_.size() < context_.options.max_size) whole_ += octets;
}

std::size_t SinkDialogue::take_content(std::string_view input) {
    if (!content_begun_ && !chunk_refused_) {
        content_begins();
        if (pause_) return 0;
    }
    if (state_ == State::data) {
        const std::size_t used = scanner_.scan(input);
        keep(input.substr(0, used));
        if (scanner_.found()) message_ended(false);
        return used;
    }
    const std::size_t used = std::min<std::size_t>(input.size(), chunk_left_);
    chunk_left_ -= used;
    if (!chunk_refused_) keep(input.substr(0, used));
    if (chunk_left_ > 0) return used;
    state_ = State::command;
    if (std::exchange(chunk_refused_, false)) {
        // RFC 3030 section 2: the octets were read; a client that saw its recipients refused is not
        // at fault, one that sends what was not offered is.
        const bool fault = !extended_ || !context_.options.chunking || !in_transaction_;
        if (fault) context_.counters.violations.add();
        out_ += fault ? kBadSequence : "554 5.5.1 No valid recipients\r\n";
        reset_transaction();
    } else if (chunk_last_) {
        message_ended(true);
    } else {
        out_ += kOk;
    }
    return used;
}

void SinkDialogue::message_ended(bool by_bdat) {
    state_ = State::command;
    if (content_octets_ > context_.options.max_size) {
        context_.counters.rejected_messages.add();
        out_ += "552 5.3.4 Message too big\r\n";
        return reset_transaction();
    }
    in_group_ = true;  // what follows in this piece of input is pipelined
    const std::size_t before = out_.size();
    const bool yes = answer(Stage::dot, first_recipient(), kAccepted);
    if (yes) {
        const bool acknowledged =
            !pause_ || pause_->ending == Ending::none || pause_->ending == Ending::close;
        accepted(acknowledged, by_bdat);
    } else {
        context_.counters.rejected_messages.add();
    }
    reset_transaction();
    if (context_.options.after_dot_503 && !pause_) {
        // Long enough for the rest of the group to arrive, as a server's queueing takes its time.
        withheld_ = out_.substr(before);
        out_.resize(before);
        pause_ = Pause{.delay = std::chrono::milliseconds{3}};
        after_dot_ = true;
    }
    if (yes && ++messages_ == context_.options.close_after && !pause_) {
        pause_ = Pause{.ending = Ending::close};
    }
}

void SinkDialogue::accepted(bool acknowledged, bool by_bdat) {
    SinkCounters& counters = context_.counters;
    counters.messages.add();
    counters.recipients.add(recipient_count_);
    counters.octets.add(content_octets_);
    (by_bdat ? counters.by_bdat : counters.by_data).add();
    if (!acknowledged) counters.unacknowledged.add();
    const auto now = static_cast<std::uint64_t>(now_.time_since_epoch().count());
    if (counters.first_accept_ns.get() == 0) counters.first_accept_ns.set(now);
    counters.last_accept_ns.set(now);
    if (!context_.ledger.is_open() && context_.capture == nullptr) return;
    const std::string id = load_id();
    if (context_.ledger.is_open()) {
        for (std::size_t i = 0; i < recipient_count_; ++i) {
            context_.ledger.add(id, recipients_[i], wall_, acknowledged);
        }
    }
    if (context_.capture == nullptr) return;
    recipients_.resize(recipient_count_);
    std::string_view content = whole_;
    if (!by_bdat) content.remove_suffix(std::min<std::size_t>(content.size(), 3));
    context_.capture->store(id, sender_, recipients_, by_bdat ? whole_ : unstuffed(content));
}

std::string SinkDialogue::load_id() const {
    constexpr std::string_view kName = "X-Load-Id:";
    for (std::size_t at = 0; at < head_.size();) {
        const auto end = std::min(head_.find('\n', at), head_.size());
        const std::string_view line = core::trim(std::string_view(head_).substr(at, end - at));
        if (line.empty()) break;
        if (core::starts_with_ignoring_case(line, kName)) {
            return std::string(core::trim(line.substr(kName.size())));
        }
        at = end + 1;
    }
    return fmt::format("{}#{}", first_recipient(), context_.counters.messages.get());
}

void SinkDialogue::reset_transaction() {
    in_transaction_ = content_begun_ = false;
    recipient_count_ = 0;
    content_octets_ = 0;
    head_.clear();
    whole_.clear();
}

// Appends the reply that the rules choose, or the usual one; true when it is not a refusal.
bool SinkDialogue::answer(Stage stage, std::string_view mailbox, std::string_view usual) {
    if (!context_.rules.has(stage)) [[likely]] {
        out_ += usual;
        return true;
    }
    const std::string key = fmt::format("{} {} {}", client_, sender_, mailbox);
    const Verdict verdict = context_.rules.judge(stage, mailbox, key, now_);
    const std::string_view reply = verdict.reply.empty() ? usual : verdict.reply;
    if (verdict.delay.count() > 0 || verdict.ending != Ending::none) {
        pause_ = Pause{verdict.delay, verdict.ending};
        if (verdict.ending == Ending::none || verdict.ending == Ending::close) withheld_ = reply;
    } else {
        out_ += reply;
    }
    return !verdict.refused();
}

void SinkDialogue::violation(std::string_view reply) {
    context_.counters.violations.add();
    out_ += reply;
}

}  // namespace bench
