#include "relay/intake/http/request_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "core/base/assert.h"
#include "core/base/units.h"
#include "relay/intake/http/content_text.h"
#include "relay/message/label_fields.h"

namespace relay {

namespace {

constexpr std::size_t kShownKey = 64;    // octets of a caller's key in our answer
constexpr std::size_t kKeptText = 1024;  // of a short string; more is no value of any

std::string_view view(RequestReader::Text text) {
    return {text.data(), text.size()};
}

// Without a dialect KumoMTA would take the content as a template. Sending the markers as they are
// to every recipient is never what such a caller wants.
bool has_markers(std::string_view text, bool after_brace) {
    const auto second = [](char c) { return c == '{' || c == '%'; };
    if (after_brace && !text.empty() && second(text.front())) return true;
    for (std::size_t at = text.find('{'); at != std::string_view::npos;
         at = text.find('{', at + 1)) {
        if (at + 1 < text.size() && second(text[at + 1])) return true;
    }
    return false;
}

}  // namespace

const std::array<std::string_view, RequestReader::kKeys> RequestReader::kNames{
    "envelope_sender",
    "recipients",
    "content",
    "substitutions",
    "template_dialect",
    "deferred_spool",
    "deferred_generation",
    "trace_headers",
    "require_tls",
    "max_age",
    "tenant",
    "campaign",
    "priority",
    "email",
    "name",
    "substitutions",
    "metadata"};

std::optional<RequestReader::Key> RequestReader::key_named(std::string_view name,
                                                           bool of_recipient) {
    const std::size_t begin = of_recipient ? kEmail : 0;
    const std::size_t end = of_recipient ? kKeys : kEmail;
    for (std::size_t i = begin; i < end; ++i) {
        if (kNames[i] == name) return static_cast<Key>(i);
    }
    return std::nullopt;
}

bool RequestReader::fail(Error& ec, std::string message, std::string field, int status) {
    problem_ = InjectProblem{status, std::move(message), std::move(field)};
    ec = boost::system::errc::make_error_code(boost::system::errc::operation_canceled);
    return false;
}

bool RequestReader::not_available(Error& ec, std::string_view what) {
    return fail(ec, fmt::format("{} not available in this version", what), field());
}

std::string RequestReader::recipient_field(std::string_view key) const {
    return fmt::format("recipients[{}].{}", request_.recipients.size(), key.substr(0, kShownKey));
}

std::string RequestReader::field() const {
    if (key_ == kKeys) return {};
    const std::string_view name = kNames[key_];
    return key_ < kEmail ? std::string(name) : recipient_field(name);
}

std::optional<InjectProblem> RequestReader::missing() const {
    for (const Key needed : {kSender, kRecipients, kContent}) {
        if (!seen_[needed]) return InjectProblem{422, "is missing", std::string(kNames[needed])};
    }
    if (markers_ && !as_it_is_) {
        return InjectProblem{
            422,
            "the content has template markers ({{ or {%), and templates are not available in this "
            "version; to send it as it is, add \"template_dialect\":\"Static\"",
            "content"};
    }
    return std::nullopt;
}

// A value at hand that is none of its key's.
bool RequestReader::mistyped(Error& ec) {
    if (place_ == Place::start) return fail(ec, "the request is not a JSON object");
    if (place_ == Place::recipients) {
        return fail(ec, "a recipient is an object with an email",
                    fmt::format("recipients[{}]", request_.recipients.size()));
    }
    switch (key_) {
        case kRecipients:
            return fail(ec, "must be an array", field());
        case kSubstitutions:
        case kRecipientSubstitutions:
            return not_available(ec, "substitutions are");
        case kMetadata:
            return not_available(ec, "metadata is");
        case kDialect:
            return not_available(ec, "templates (any dialect but \"Static\") are");
        case kDeferredSpool:
            return not_available(ec, "a deferred spool is");
        case kDeferredGeneration:
            return not_available(ec, "deferred generation is");
        case kTraceHeaders:
            return not_available(ec, "a choice of trace headers is");
        case kRequireTls:
            return fail(ec, "must be true or false", field());
        case kMaxAge:
            return fail(ec, "must be a time such as \"4h\", of a second or more", field());
        case kPriority:
            return fail(ec, R"(must be "urgent", "normal" or "bulk")", field());
        case kTenant:
        case kCampaign:
        case kSender:
        case kContent:
        case kEmail:
        case kName:
        case kKeys:
            break;
    }
    return fail(ec, "must be a string", field());
}

bool RequestReader::on_object_begin(Error& ec) {
    if (place_ == Place::start) {
        place_ = Place::member;
        return true;
    }
    if (place_ == Place::recipients) {
        place_ = Place::recipient;
        std::fill(seen_.begin() + kEmail, seen_.end(), false);
        return true;
    }
    if (key_ == kContent) {
        return fail(ec,
                    "content as an object is not available in this version: give the complete "
                    "message (header section, empty line, body) as a string",
                    field());
    }
    if (key_ == kSubstitutions || key_ == kTraceHeaders || key_ == kRecipientSubstitutions ||
        key_ == kMetadata) {
        outer_ = std::exchange(place_, Place::empty);
        return true;
    }
    return mistyped(ec);
}

bool RequestReader::on_object_end(std::size_t, Error& ec) {
    switch (place_) {
        case Place::empty:
            place_ = outer_;
            return true;
        case Place::recipient:
            if (!seen_[kEmail]) return fail(ec, "is missing", recipient_field("email"));
            request_.recipients.end();
            place_ = Place::recipients;
            return true;
        case Place::start:
        case Place::member:
        case Place::recipients:
        case Place::end:
            break;
    }
    place_ = Place::end;
    return true;
}

bool RequestReader::on_array_begin(Error& ec) {
    if (place_ != Place::member || key_ != kRecipients) return mistyped(ec);
    place_ = Place::recipients;
    return true;
}

bool RequestReader::on_array_end(std::size_t, Error& ec) {
    if (request_.recipients.size() == 0) return fail(ec, "names nobody", "recipients");
    place_ = Place::member;
    return true;
}

bool RequestReader::on_key_part(Text part, std::size_t, Error&) {
    short_text_ += view(part).substr(0, kKeptText - short_text_.size());
    return true;
}

bool RequestReader::on_key(Text part, std::size_t size, Error& ec) {
    if (place_ == Place::empty) return mistyped(ec);
    if (!on_key_part(part, size, ec)) return false;
    const bool of_recipient = place_ == Place::recipient;
    const std::string name = std::exchange(short_text_, {});
    const std::optional<Key> key = key_named(name, of_recipient);
    if (!key) {
        return fail(ec, "unknown field",
                    of_recipient ? recipient_field(name) : name.substr(0, kShownKey));
    }
    key_ = *key;
    if (std::exchange(seen_[key_], true)) return fail(ec, "given twice", field());
    return true;
}

// What is wrong with a string is said at its end: whether it is JSON at all is known only then, and
// how a body is cut must not change the answer.
bool RequestReader::on_string_part(Text part, std::size_t, Error& ec) {
    return !may_be_text() || take_text(view(part), ec);
}

bool RequestReader::on_string(Text part, std::size_t, Error& ec) {
    if (!may_be_text()) return mistyped(ec);
    return take_text(view(part), ec) && end_text(ec);
}

bool RequestReader::may_be_text() const {
    const bool short_text = key_ == kSender || key_ == kDialect || key_ == kMaxAge ||
                            key_ == kTenant || key_ == kCampaign || key_ == kPriority;
    return has_value() && (short_text || key_ == kContent || key_ == kEmail || key_ == kName);
}

bool RequestReader::take_text(std::string_view part, Error& ec) {
    switch (key_) {
        case kContent:
            return take_content(part, ec);
        case kEmail:
            if (!recipients_full()) request_.recipients.add(part);
            return true;
        case kName:  // for templates only, so it changes nothing here
            return true;
        case kSender:
        case kDialect:
        case kMaxAge:
        case kTenant:
        case kCampaign:
        case kPriority:
            short_text_ += part.substr(0, kKeptText - short_text_.size());
            return true;
        default:
            PH_ASSERT(may_be_text());
            return false;
    }
}

bool RequestReader::end_text(Error& ec) {
    const std::string text = std::exchange(short_text_, {});
    if (key_ == kEmail && recipients_full()) {
        return fail(ec, fmt::format("a request may have {} recipients", limits_.recipients),
                    "recipients", 413);
    }
    if (key_ == kContent && request_.content.size() == 0) return fail(ec, "is empty", field());
    if (key_ == kSender) request_.sender = text;
    if (key_ == kDialect) {
        if (text != "Static") return mistyped(ec);
        as_it_is_ = true;
    }
    if (key_ == kMaxAge) {
        const auto age = core::parse_duration(text);
        if (!age || *age < std::chrono::seconds{1}) return mistyped(ec);
        request_.max_age = *age;
    }
    if (key_ == kPriority) {
        request_.priority = priority_named(text);
        if (!request_.priority) return mistyped(ec);
    }
    return (key_ != kTenant && key_ != kCampaign) || end_label(text, ec);
}

bool RequestReader::end_label(std::string text, Error& ec) {
    const std::string_view complaint = label_complaint(text);
    if (!complaint.empty()) return fail(ec, std::string(complaint), field());
    (key_ == kTenant ? request_.tenant : request_.campaign) = std::move(text);
    return true;
}

bool RequestReader::take_content(std::string_view part, Error& ec) {
    if (part.empty()) return true;
    if (part.size() > limits_.content - request_.content.size()) {
        return fail(ec, fmt::format("a message may have {} octets", limits_.content), field(), 413);
    }
    markers_ = markers_ || has_markers(part, brace_);
    brace_ = part.back() == '{';
    request_.eight_bit = request_.eight_bit || has_octets_above_127(part);
    request_.content.append(part);
    return true;
}

bool RequestReader::on_bool(bool value, Error& ec) {
    if (!has_value()) return mistyped(ec);
    if (key_ == kRequireTls) {
        request_.require_tls = value;
        return true;
    }
    const bool may_be_false = key_ == kDeferredSpool || key_ == kDeferredGeneration;
    return (may_be_false && !value) || mistyped(ec);
}

bool RequestReader::on_null(Error& ec) {
    return (place_ == Place::recipient && key_ == kName) || mistyped(ec);
}

}  // namespace relay
