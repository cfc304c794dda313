#include "relay/intake/http/inject_request.h"

#include <algorithm>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>
#include <spdlog/fmt/fmt.h>

#include "relay/intake/http/request_reader.h"

namespace relay {

namespace json = boost::json;

class InjectRequestParser::Json {
  public:
    explicit Json(InjectLimits limits) : parser(options(), limits) {}

    RequestReader& reader() { return parser.handler(); }

    json::basic_parser<RequestReader> parser;
    json::error_code error;

  private:
    static json::parse_options options() {
        json::parse_options options;
        options.max_depth = kMaxDepth;
        return options;
    }
};

InjectRequestParser::InjectRequestParser(InjectLimits limits)
    : json_(std::make_unique<Json>(limits)) {}
InjectRequestParser::~InjectRequestParser() = default;

const InjectRequest& InjectRequestParser::so_far() const {
    return json_->reader().request();
}

// Where the octet at a place of the input at hand stands, in the words of an editor.
InjectProblem InjectRequestParser::located(InjectProblem problem, std::string_view octets,
                                           std::size_t at) const {
    const std::string_view before = octets.substr(0, at);
    const auto lines = static_cast<std::uint64_t>(std::ranges::count(before, '\n'));
    const std::size_t last = before.rfind('\n');
    const std::uint64_t column =
        last == std::string_view::npos ? before_in_line_ + before.size() : before.size() - last - 1;
    problem.message += fmt::format(" (line {}, column {})", lines_ + lines, column + 1);
    return problem;
}

InjectProblem InjectRequestParser::malformed(std::string_view octets, std::size_t at) const {
    const json::error_code error = json_->error;
    if (error == json::error::too_deep) {
        return located({400, fmt::format("the JSON is nested deeper than {}", kMaxDepth), {}},
                       octets, at);
    }
    return located({400, "malformed JSON: " + error.message(), {}}, octets, at);
}

std::optional<InjectProblem> InjectRequestParser::feed(std::string_view octets) {
    if (octets.empty()) return std::nullopt;
    any_octet_ = true;
    Json& json = *json_;
    const std::size_t used = json.parser.write_some(true, octets.data(), octets.size(), json.error);
    if (!json.error && used < octets.size()) json.error = json::error::extra_data;
    if (json.error) {
        const auto& problem = json.reader().problem();
        return problem ? located(*problem, octets, used) : malformed(octets, used);
    }
    lines_ += static_cast<std::uint64_t>(std::ranges::count(octets, '\n'));
    const std::size_t last = octets.rfind('\n');
    before_in_line_ =
        last == std::string_view::npos ? before_in_line_ + octets.size() : octets.size() - last - 1;
    return std::nullopt;
}

std::expected<InjectRequest, InjectProblem> InjectRequestParser::finish() {
    if (!any_octet_) return std::unexpected(InjectProblem{400, "the request has no body", {}});
    Json& json = *json_;
    json.parser.write_some(false, "", 0, json.error);
    if (json.error) {
        const auto& problem = json.reader().problem();
        return std::unexpected(problem ? located(*problem, {}, 0) : malformed({}, 0));
    }
    if (auto problem = json.reader().missing()) return std::unexpected(std::move(*problem));
    return std::move(json.reader().request());
}

}  // namespace relay
