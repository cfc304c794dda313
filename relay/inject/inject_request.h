// InjectRequest: the JSON body of POST /api/inject/v1 (docs/http-api.md), checked but for
// addresses. Pure: JSON text in, views or a problem out. What the interface knows but this version
// does not do (templates, substitutions, content as an object …) is a problem with status 422 and
// the field's name, never ignored; so are unknown and repeated keys. Malformed JSON is status 400.
// One parser per request under way; its memory is reused for the next. The views point into the
// parser and are valid until its next parse() or its end.
// Limits: nesting kMaxDepth; length by the caller.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"

namespace relay {

struct InjectRequest {
    std::string_view sender;                   // as given: may be empty or "<>"
    std::string_view content;                  // a complete message, line ends as given
    std::vector<std::string_view> recipients;  // as given, at least one
    bool require_tls = false;                  // REQUIRETLS (RFC 8689)
    core::Duration max_age{};                  // zero: as schedules say
};

struct InjectProblem {
    int status = 422;
    std::string message;
    std::string field;  // "recipients[3].email"; may be empty
};

class InjectRequestParser {
  public:
    static constexpr std::size_t kMaxDepth = 64;
    static constexpr std::size_t kPadding = 64;  // readable octets wanted behind the body

    InjectRequestParser();
    ~InjectRequestParser();
    InjectRequestParser(InjectRequestParser&&) noexcept;

    std::expected<InjectRequest, InjectProblem> parse(std::string_view body);
    // Octets of input that it holds memory for.
    std::size_t capacity() const;

  private:
    class Json;
    std::unique_ptr<Json> json_;
};

}  // namespace relay
