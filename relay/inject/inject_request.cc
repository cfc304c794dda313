#include "relay/inject/inject_request.h"

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include <simdjson.h>
#include <spdlog/fmt/fmt.h>

#include "core/base/units.h"

namespace relay {

namespace dom = simdjson::dom;

namespace {

constexpr std::size_t kFirstCapacity = 16 * 1024;
constexpr std::size_t kShownKey = 64;  // octets of a caller's key in our answer

static_assert(simdjson::SIMDJSON_PADDING <= InjectRequestParser::kPadding);

InjectProblem problem(std::string message, std::string field) {
    return {422, std::move(message), std::move(field)};
}

InjectProblem not_available(std::string_view what, std::string field) {
    return problem(fmt::format("{} not available in this version", what), std::move(field));
}

InjectProblem malformed(simdjson::error_code error) {
    switch (error) {
        case simdjson::DEPTH_ERROR:
            return {
                400,
                fmt::format("the JSON is nested deeper than {}", InjectRequestParser::kMaxDepth),
                {}};
        case simdjson::UTF8_ERROR:
            return {400, "the request is not UTF-8", {}};
        case simdjson::EMPTY:
            return {400, "the request has no body", {}};
        default:
            return {400, fmt::format("malformed JSON: {}", simdjson::error_message(error)), {}};
    }
}

bool is_empty_object(const dom::element& value) {
    dom::object object;
    return value.get_object().get(object) == simdjson::SUCCESS && object.begin() == object.end();
}

bool is_false(const dom::element& value) {
    bool truth = true;
    return value.get_bool().get(truth) == simdjson::SUCCESS && !truth;
}

// Without a dialect KumoMTA would take the content as a template. Sending the markers as they are
// to every recipient is never what such a caller wants.
bool looks_like_template(std::string_view content) {
    for (std::size_t at = content.find('{'); at != std::string_view::npos;
         at = content.find('{', at + 1)) {
        if (at + 1 < content.size() && (content[at + 1] == '{' || content[at + 1] == '%')) {
            return true;
        }
    }
    return false;
}

enum Key : std::size_t {
    kSender,
    kRecipients,
    kContent,
    kSubstitutions,
    kDialect,
    kDeferredSpool,
    kDeferredGeneration,
    kTraceHeaders,
    kRequireTls,
    kMaxAge,
    kKeys
};

constexpr std::array<std::string_view, kKeys> kNames{
    "envelope_sender", "recipients",          "content",       "substitutions", "template_dialect",
    "deferred_spool",  "deferred_generation", "trace_headers", "require_tls",   "max_age"};

std::optional<Key> key_named(std::string_view name) {
    for (std::size_t i = 0; i < kKeys; ++i) {
        if (kNames[i] == name) return static_cast<Key>(i);
    }
    return std::nullopt;
}

std::string recipient_field(std::size_t index, std::string_view key) {
    return fmt::format("recipients[{}].{}", index, key.substr(0, kShownKey));
}

// One element of "recipients".
std::optional<InjectProblem> read_recipient(const dom::element& value, std::size_t index,
                                            InjectRequest& request) {
    dom::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) {
        return problem("a recipient is an object with an email",
                       fmt::format("recipients[{}]", index));
    }
    std::string_view email;
    bool has_email = false;
    for (const auto [key, member] : object) {
        if (key == "email") {
            if (has_email) return problem("given twice", recipient_field(index, key));
            if (member.get_string().get(email) != simdjson::SUCCESS) {
                return problem("must be a string", recipient_field(index, key));
            }
            has_email = true;
        } else if (key == "name") {  // for templates only, so it changes nothing here
            if (!member.is_string() && !member.is_null()) {
                return problem("must be a string", recipient_field(index, key));
            }
        } else if (key == "substitutions" || key == "metadata") {
            if (!is_empty_object(member)) {
                return not_available(key == "metadata" ? "metadata is" : "substitutions are",
                                     recipient_field(index, key));
            }
        } else {
            return problem("unknown field", recipient_field(index, key));
        }
    }
    if (!has_email) return problem("is missing", recipient_field(index, "email"));
    request.recipients.push_back(email);
    return std::nullopt;
}

std::optional<InjectProblem> read_recipients(const dom::element& value, InjectRequest& request) {
    dom::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) {
        return problem("must be an array", "recipients");
    }
    request.recipients.reserve(array.size());
    std::size_t index = 0;
    for (const dom::element recipient : array) {
        if (auto fault = read_recipient(recipient, index++, request)) return fault;
    }
    if (request.recipients.empty()) return problem("names nobody", "recipients");
    return std::nullopt;
}

std::optional<InjectProblem> read_max_age(const dom::element& value, InjectRequest& request) {
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS) {
        const auto age = core::parse_duration(text);
        if (age && *age >= std::chrono::seconds{1}) {
            request.max_age = *age;
            return std::nullopt;
        }
    }
    return problem("must be a time such as \"4h\", of a second or more", "max_age");
}

std::optional<InjectProblem> read_content(const dom::element& value, InjectRequest& request) {
    if (value.is_object()) {
        return problem(
            "content as an object is not available in this version: give the complete message "
            "(header section, empty line, body) as a string",
            "content");
    }
    if (value.get_string().get(request.content) != simdjson::SUCCESS) {
        return problem("must be a string", "content");
    }
    if (request.content.empty()) return problem("is empty", "content");
    return std::nullopt;
}

std::optional<InjectProblem> read_member(Key key, const dom::element& value, InjectRequest& request,
                                         bool& as_it_is) {
    const std::string name(kNames[key]);
    switch (key) {
        case kSender:
            if (value.get_string().get(request.sender) != simdjson::SUCCESS) {
                return problem("must be a string", name);
            }
            return std::nullopt;
        case kRecipients:
            return read_recipients(value, request);
        case kContent:
            return read_content(value, request);
        case kSubstitutions:
            if (is_empty_object(value)) return std::nullopt;
            return not_available("substitutions are", name);
        case kDialect: {
            std::string_view dialect;
            if (value.get_string().get(dialect) == simdjson::SUCCESS && dialect == "Static") {
                as_it_is = true;
                return std::nullopt;
            }
            return not_available("templates (any dialect but \"Static\") are", name);
        }
        case kDeferredSpool:
        case kDeferredGeneration:
            if (is_false(value)) return std::nullopt;
            return not_available(
                key == kDeferredSpool ? "a deferred spool is" : "deferred generation is", name);
        case kTraceHeaders:
            if (is_empty_object(value)) return std::nullopt;
            return not_available("a choice of trace headers is", name);
        case kRequireTls:
            if (value.get_bool().get(request.require_tls) == simdjson::SUCCESS) return std::nullopt;
            return problem("must be true or false", name);
        case kMaxAge:
            return read_max_age(value, request);
        case kKeys:
            break;
    }
    return problem("unknown field", name);
}

}  // namespace

class InjectRequestParser::Json {
  public:
    dom::parser parser;
};

InjectRequestParser::InjectRequestParser() : json_(std::make_unique<Json>()) {}
InjectRequestParser::~InjectRequestParser() = default;
InjectRequestParser::InjectRequestParser(InjectRequestParser&&) noexcept = default;

std::size_t InjectRequestParser::capacity() const {
    return json_->parser.capacity();
}

std::expected<InjectRequest, InjectProblem> InjectRequestParser::parse(std::string_view body) {
    dom::parser& parser = json_->parser;
    if (parser.capacity() == 0) {
        if (const auto error = parser.allocate(kFirstCapacity, kMaxDepth)) {
            return std::unexpected(malformed(error));
        }
    }
    dom::element document;
    constexpr bool kCopyForPadding = false;
    if (const auto error = parser.parse(body.data(), body.size(), kCopyForPadding).get(document)) {
        return std::unexpected(malformed(error));
    }
    dom::object members;
    if (document.get_object().get(members) != simdjson::SUCCESS) {
        return std::unexpected(InjectProblem{422, "the request is not a JSON object", {}});
    }

    InjectRequest request;
    std::array<bool, kKeys> seen{};
    bool as_it_is = false;
    for (const auto [name, value] : members) {
        const std::optional<Key> key = key_named(name);
        if (!key) {
            return std::unexpected(
                problem("unknown field", std::string(name.substr(0, kShownKey))));
        }
        if (std::exchange(seen[*key], true)) {
            return std::unexpected(problem("given twice", std::string(name)));
        }
        if (auto fault = read_member(*key, value, request, as_it_is)) {
            return std::unexpected(std::move(*fault));
        }
    }
    for (const Key needed : {kSender, kRecipients, kContent}) {
        if (!seen[needed]) {
            return std::unexpected(problem("is missing", std::string(kNames[needed])));
        }
    }
    if (!as_it_is && looks_like_template(request.content)) {
        return std::unexpected(problem(
            "the content has template markers ({{ or {%), and templates are not available in this "
            "version; to send it as it is, add \"template_dialect\":\"Static\"",
            "content"));
    }
    return request;
}

}  // namespace relay
