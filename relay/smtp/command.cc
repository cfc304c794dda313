#include "relay/smtp/command.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/blanks.h"
#include "relay/smtp/dsn_parameters.h"

namespace relay {

namespace {

constexpr std::size_t kMaxSizeDigits = 20;  // RFC 1870 section 4
constexpr std::size_t kMaxClientName = 255;

struct VerbName {
    std::string_view name;
    Verb verb;
};

constexpr std::array<VerbName, 16> kVerbs = {{
    {"MAIL", Verb::mail},
    {"RCPT", Verb::rcpt},
    {"DATA", Verb::data},
    {"BDAT", Verb::bdat},
    {"RSET", Verb::rset},
    {"EHLO", Verb::ehlo},
    {"HELO", Verb::helo},
    {"NOOP", Verb::noop},
    {"QUIT", Verb::quit},
    {"VRFY", Verb::vrfy},
    {"EXPN", Verb::expn},
    {"HELP", Verb::help},
    {"TURN", Verb::turn},
    {"ETRN", Verb::etrn},
    {"AUTH", Verb::auth},
    {"STARTTLS", Verb::starttls},
}};

// The text up to the next blank; moves past it.
std::string_view next_word(std::string_view& text) {
    text = core::trim_blanks(text);
    const std::string_view word = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(word.size());
    return word;
}

// Digits only, at most 20 of them; a number beyond 64 bits is no number here.
std::optional<std::uint64_t> parse_count(std::string_view digits) {
    if (digits.empty() || digits.size() > kMaxSizeDigits) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : digits) {
        if (!core::is_digit(c)) return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
        value = value * 10 + digit;
    }
    return value;
}

// "FROM:<path>" or "TO:<path>". Blanks before the path are let pass, as most servers do.
std::expected<PathView, AddressFault> parse_path_after(std::string_view keyword,
                                                       std::string_view argument, LocalPart local) {
    if (!core::starts_with_ignoring_case(argument, keyword)) {
        return std::unexpected(AddressFault::syntax);
    }
    auto path = parse_path(core::trim_blanks(argument.substr(keyword.size())), local);
    if (path && !path->rest.empty() && path->rest.front() != ' ') {
        return std::unexpected(AddressFault::syntax);
    }
    return path;
}

struct Parameter {
    std::string_view name;
    std::string_view value;
    bool has_value;
};

Parameter split_parameter(std::string_view word) {
    const auto equals = word.find('=');
    const bool has_value = equals != std::string_view::npos;
    return {word.substr(0, equals), has_value ? word.substr(equals + 1) : std::string_view{},
            has_value};
}

// RFC 2852 section 4: by-time of up to nine digits, ";", by-mode, perhaps the trace flag.
std::optional<ByTime> parse_by(std::string_view value) {
    constexpr std::size_t kMostDigits = 9;
    ByTime by;
    const bool past = value.starts_with('-');
    if (past || value.starts_with('+')) value.remove_prefix(1);
    const std::size_t semicolon = value.find(';');
    // Also when there is none: npos is larger than every number.
    if (semicolon > kMostDigits) return std::nullopt;
    const auto seconds = parse_count(value.substr(0, semicolon));
    if (!seconds) return std::nullopt;
    by.seconds = static_cast<std::int64_t>(*seconds) * (past ? -1 : 1);
    const std::string_view mode = value.substr(semicolon + 1);
    by.traces = mode.size() == 2 && core::ascii_upper(mode[1]) == 'T';
    if (mode.size() != (by.traces ? 2U : 1U)) return std::nullopt;
    by.returns = core::ascii_upper(mode[0]) == 'R';
    if (!by.returns && core::ascii_upper(mode[0]) != 'N') return std::nullopt;
    return by;
}

// No value: fine.
std::optional<ReplyLine> parse_mail_parameter(std::string_view word, MailParameters& parameters,
                                              MailDsnParameters& dsn) {
    const auto [name, value, has_value] = split_parameter(word);
    if (core::equals_ignoring_case(name, "SIZE")) {
        const auto size = parse_count(value);
        if (!size) return "501 5.5.4 SIZE takes a number of octets";
        parameters.size = *size;
        return std::nullopt;
    }
    if (core::equals_ignoring_case(name, "BODY")) {
        parameters.eight_bit = core::equals_ignoring_case(value, "8BITMIME");
        if (parameters.eight_bit || core::equals_ignoring_case(value, "7BIT")) return std::nullopt;
        return "501 5.5.4 BODY is 7BIT or 8BITMIME";
    }
    if (core::equals_ignoring_case(name, "SMTPUTF8")) {
        if (has_value) return "501 5.5.4 SMTPUTF8 takes no value";
        parameters.utf8 = true;
        return std::nullopt;
    }
    if (core::equals_ignoring_case(name, "REQUIRETLS")) {
        if (has_value) return "501 5.5.4 REQUIRETLS takes no value";
        parameters.require_tls = true;
        return std::nullopt;
    }
    if (core::equals_ignoring_case(name, "BY")) {
        const auto by = parse_by(value);
        if (!by || parameters.by) return "501 5.5.4 BY takes seconds;R or seconds;N, once";
        if (by->returns && by->seconds <= 0) return "501 5.5.4 BY with R takes a time to come";
        parameters.by = by;
        return std::nullopt;
    }
    if (MailDsnParameters::knows(name)) return dsn.take(name, value);
    return "555 5.5.4 Unknown parameter";
}

}  // namespace

Command parse_command(std::string_view line) {
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    for (const VerbName& known : kVerbs) {
        if (core::equals_ignoring_case(word, known.name)) {
            return {known.verb, core::trim_blanks(line.substr(word.size()))};
        }
    }
    return {Verb::unknown, {}};
}

bool leads_nowhere(Verb verb) {
    return verb == Verb::rset || verb == Verb::noop || verb == Verb::vrfy || verb == Verb::help ||
           verb == Verb::ehlo || verb == Verb::helo;
}

bool is_client_name(std::string_view name, LocalPart local) {
    if (name.empty() || name.size() > kMaxClientName) return false;
    if (local == LocalPart::loose) {
        return std::ranges::none_of(
            name, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
    }
    return std::ranges::all_of(
        name, [](char c) { return core::is_alnum(c) || std::string_view("-._:[]").contains(c); });
}

std::expected<MailCommand, ReplyLine> parse_mail(std::string_view argument, bool extended,
                                                 LocalPart local) {
    const auto path = parse_path_after("FROM:", argument, local);
    if (!path) {
        switch (path.error()) {
            case AddressFault::syntax:
                return std::unexpected("501 5.1.7 Syntax: MAIL FROM:<address>");
            case AddressFault::too_long:
                return std::unexpected("501 5.1.7 Sender address too long");
            case AddressFault::unqualified:
                return std::unexpected("554 5.1.8 Sender needs a fully qualified domain");
        }
    }
    MailCommand mail{.path = *path, .parameters = {}};
    MailDsnParameters dsn;
    std::string_view rest = path->rest;
    for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
        if (!extended) return std::unexpected("555 5.5.4 Parameters need EHLO");
        if (const auto fault = parse_mail_parameter(word, mail.parameters, dsn)) {
            return std::unexpected(*fault);
        }
    }
    mail.parameters.dsn = std::move(dsn.found);
    if (path->address.utf8 && !mail.parameters.utf8) {
        return std::unexpected("550 5.6.7 This sender address needs SMTPUTF8");
    }
    return mail;
}

std::expected<RcptCommand, ReplyLine> parse_rcpt(std::string_view argument, bool extended,
                                                 bool utf8, LocalPart local) {
    const auto path = parse_path_after("TO:", argument, local);
    if (!path) {
        switch (path.error()) {
            case AddressFault::syntax:
                return std::unexpected("501 5.1.3 Syntax: RCPT TO:<address>");
            case AddressFault::too_long:
                return std::unexpected("501 5.1.3 Recipient address too long");
            case AddressFault::unqualified:
                return std::unexpected("554 5.1.2 Recipient needs a fully qualified domain");
        }
    }
    if (path->null) return std::unexpected("501 5.1.3 Nobody can be mailed at <>");
    RcptDsnParameters dsn;
    std::string_view rest = path->rest;
    for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
        if (!extended) return std::unexpected("555 5.5.4 Parameters need EHLO");
        const Parameter parameter = split_parameter(word);
        if (!RcptDsnParameters::knows(parameter.name)) {
            return std::unexpected("555 5.5.4 Unknown parameter");
        }
        if (const auto fault = dsn.take(parameter.name, parameter.value, utf8)) {
            return std::unexpected(*fault);
        }
    }
    return RcptCommand{*path, dsn.found};
}

std::expected<BdatCommand, ReplyLine> parse_bdat(std::string_view argument) {
    const auto size = parse_count(next_word(argument));
    const std::string_view word = next_word(argument);
    const bool last = core::equals_ignoring_case(word, "LAST");
    if (!size || (!last && !word.empty()) || !next_word(argument).empty()) {
        return std::unexpected("501 5.5.4 Syntax: BDAT octets [LAST]");
    }
    return BdatCommand{*size, last};
}

}  // namespace relay
