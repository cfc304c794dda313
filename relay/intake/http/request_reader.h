// RequestReader: what the events of a JSON parser mean in the body of POST /api/inject/v1: the
// Handler of boost::json::basic_parser (see its documentation for the calls), which builds an
// InjectRequest. Every call that answers false has left the problem in problem(). Pure; used by
// InjectRequestParser alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/basic_parser.hpp>

#include "relay/intake/http/inject_request.h"

namespace relay {

class RequestReader {
  public:
    using Error = boost::system::error_code;
    using Text = boost::json::string_view;
    // Ours are checked as the octets come.
    static constexpr auto max_object_size = static_cast<std::size_t>(-1);
    static constexpr auto max_array_size = static_cast<std::size_t>(-1);
    static constexpr auto max_key_size = static_cast<std::size_t>(-1);
    static constexpr auto max_string_size = static_cast<std::size_t>(-1);

    explicit RequestReader(InjectLimits limits) : limits_(limits) {}

    const std::optional<InjectProblem>& problem() const { return problem_; }
    InjectRequest& request() { return request_; }
    // After the end of the document: is everything there?
    std::optional<InjectProblem> missing() const;

    bool on_document_begin(Error&) { return true; }
    bool on_document_end(Error&) { return true; }
    bool on_object_begin(Error& ec);
    bool on_object_end(std::size_t, Error& ec);
    bool on_array_begin(Error& ec);
    bool on_array_end(std::size_t, Error& ec);
    bool on_key_part(Text part, std::size_t, Error& ec);
    bool on_key(Text part, std::size_t, Error& ec);
    bool on_string_part(Text part, std::size_t, Error& ec);
    bool on_string(Text part, std::size_t, Error& ec);
    bool on_number_part(Text, Error&) { return true; }
    bool on_int64(std::int64_t, Text, Error& ec) { return scalar(ec); }
    bool on_uint64(std::uint64_t, Text, Error& ec) { return scalar(ec); }
    bool on_double(double, Text, Error& ec) { return scalar(ec); }
    bool on_bool(bool value, Error& ec);
    bool on_null(Error& ec);
    bool on_comment_part(Text, Error&) { return true; }
    bool on_comment(Text, Error&) { return true; }

  private:
    enum Key : std::uint8_t {
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
        kTenant,
        kCampaign,
        kPriority,
        kEmail,  // of a recipient, as are those that follow
        kName,
        kRecipientSubstitutions,
        kMetadata,
        kKeys
    };
    enum class Place : std::uint8_t {
        start,       // before the object
        member,      // in it; after a key key_ is at hand
        recipients,  // in the array
        recipient,   // in one of its objects
        empty,       // in an object that must have no member
        end,
    };

    static const std::array<std::string_view, kKeys> kNames;
    static std::optional<Key> key_named(std::string_view name, bool of_recipient);

    bool fail(Error& ec, std::string message, std::string field = {}, int status = 422);
    bool not_available(Error& ec, std::string_view what);
    bool mistyped(Error& ec);
    bool scalar(Error& ec) { return mistyped(ec); }
    std::string field() const;
    std::string recipient_field(std::string_view key) const;
    bool may_be_text() const;
    bool take_text(std::string_view part, Error& ec);
    bool end_text(Error& ec);
    bool end_label(std::string text, Error& ec);
    bool take_content(std::string_view part, Error& ec);
    bool has_value() const { return place_ == Place::member || place_ == Place::recipient; }
    bool recipients_full() const { return request_.recipients.size() >= limits_.recipients; }

    const InjectLimits limits_;
    InjectRequest request_;
    std::optional<InjectProblem> problem_;
    Place place_ = Place::start;
    Place outer_ = Place::start;  // of Place::empty
    Key key_ = kKeys;
    std::array<bool, kKeys> seen_{};
    std::string short_text_;  // a key, or the value of a short string; cut
    bool as_it_is_ = false;   // the dialect is "Static"
    bool markers_ = false;    // content has template markers
    bool brace_ = false;      // its last octet so far is a brace
};

}  // namespace relay
