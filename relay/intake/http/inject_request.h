// InjectRequest: the JSON body of POST /api/inject/v1 (docs/http-api.md), read as it arrives and
// checked but for addresses. Pure: JSON text in, a request or a problem out. What the interface
// knows but this version does not do (templates, substitutions, content as an object …) is a
// problem with status 422 and the field's name, never ignored; so are unknown and repeated keys.
// Malformed JSON is status 400. A problem ends the reading: what no field can be is never kept, so
// memory is what the message will need. The sentence of a problem says where in the JSON it is. The
// result does not depend on how the input was cut. Limits: InjectLimits (413); kMaxDepth;
// AddressList's; a receive buffer's worth of work per feed().
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "relay/intake/http/address_list.h"
#include "relay/intake/http/text_blocks.h"
#include "relay/message/priority.h"

namespace relay {

struct InjectRequest {
    std::string sender;        // as given: may be empty or "<>"; cut when it is no address anyway
    TextBlocks content;        // a complete message as given, line ends too
    bool eight_bit = false;    // content has octets above 127
    AddressList recipients;    // as given, at least one
    bool require_tls = false;  // REQUIRETLS (RFC 8689)
    core::Duration max_age{};  // zero: as schedules say
    std::string tenant;        // empty: none
    std::string campaign;
    std::optional<Priority> priority;

    std::size_t memory() const { return content.size() + recipients.memory(); }
};

struct InjectProblem {
    int status = 422;
    std::string message;
    std::string field;  // "recipients[3].email"; may be empty
};

struct InjectLimits {
    std::size_t content = 50U << 20;  // octets
    std::size_t recipients = 1'000'000;
};

class InjectRequestParser {
  public:
    static constexpr std::size_t kMaxDepth = 8;

    explicit InjectRequestParser(InjectLimits limits);
    ~InjectRequestParser();
    InjectRequestParser(const InjectRequestParser&) = delete;
    InjectRequestParser& operator=(const InjectRequestParser&) = delete;

    // Takes the next octets. After a problem nothing more may be fed.
    std::optional<InjectProblem> feed(std::string_view octets);
    // The body has ended.
    std::expected<InjectRequest, InjectProblem> finish();
    // What there is so far; complete after finish() only.
    const InjectRequest& so_far() const;

  private:
    class Json;
    InjectProblem located(InjectProblem problem, std::string_view octets, std::size_t at) const;
    InjectProblem malformed(std::string_view octets, std::size_t at) const;

    std::unique_ptr<Json> json_;
    bool any_octet_ = false;
    std::uint64_t lines_ = 1;           // where the next octet stands
    std::uint64_t before_in_line_ = 0;  // octets of its line before it
};

}  // namespace relay
