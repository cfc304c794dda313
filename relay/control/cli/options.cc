// Options that the commands share, and how an answer is shown.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <simdjson.h>

#include "core/base/json_text.h"
#include "relay/control/cli/commands.h"

namespace relay {

void AdminOptions::add_to(CLI::App& command) {
    url = "http://127.0.0.1:8025";
    command.add_option("--admin", url, "Admin API of the relay")->capture_default_str();
    command.add_option("--token", token,
                       "name:secret of a [[credential]]; otherwise POSTHASTE_TOKEN");
    command.add_flag("--json", json, "Print what the relay answers, as JSON");
}

AdminClient AdminOptions::client() const {
    const char* const set = std::getenv("POSTHASTE_TOKEN");
    const std::string from_environment = set == nullptr ? "" : set;
    return {url, token.empty() ? from_environment : token};
}

void SelectionOptions::add_to(CLI::App& command) {
    command.add_option("--domain", domain, "Domain of recipients");
    command.add_option("--site", site, "Site, as events and `paths` name it");
    command.add_option("--provider", provider, "Provider of the shaping files");
    command.add_option("--tenant", tenant, "Tenant");
    command.add_option("--campaign", campaign, "Campaign");
    command.add_option("--source", source, "Egress source");
}

namespace {

std::array<std::pair<const char*, const std::string*>, 6> fields_of(const SelectionOptions& of) {
    return {{{"domain", &of.domain},
             {"site", &of.site},
             {"provider", &of.provider},
             {"tenant", &of.tenant},
             {"campaign", &of.campaign},
             {"source", &of.source}}};
}

// The messages of {"errors":[…]}; the body itself, if it is something else.
void print_errors(const AdminAnswer& answer) {
    simdjson::dom::parser parser;
    simdjson::dom::array errors;
    if (parser.parse(answer.body)["errors"].get(errors)) {
        std::fprintf(stderr, "posthaste: the relay answered %ld: %s\n", answer.status,
                     answer.body.substr(0, 1000).c_str());
        return;
    }
    for (const simdjson::dom::element error : errors) {
        std::string_view message;
        if (error["message"].get(message)) continue;
        std::fprintf(stderr, "posthaste: %.*s\n", static_cast<int>(message.size()), message.data());
    }
}

}  // namespace

bool SelectionOptions::empty() const {
    for (const auto& [name, value] : fields_of(*this)) {
        if (!value->empty()) return false;
    }
    return true;
}

std::string SelectionOptions::query() const {
    std::string query;
    for (const auto& [name, value] : fields_of(*this)) {
        if (value->empty()) continue;
        if (!query.empty()) query += '&';
        query.append(name).append("=").append(percent_encoded(*value));
    }
    return query;
}

std::string SelectionOptions::json_fields() const {
    std::string json;
    for (const auto& [name, value] : fields_of(*this)) {
        if (value->empty()) continue;
        if (!json.empty()) json += ',';
        json.append("\"").append(name).append("\":");
        core::append_json_string(json, *value);
    }
    return json;
}

int show(const AdminOptions& options, const core::Result<AdminAnswer>& answer,
         void (*print)(const std::string& body)) {
    if (!answer) {
        std::fprintf(stderr, "posthaste: %s\n", answer.error().c_str());
        return 1;
    }
    if (answer->status >= 400) {
        print_errors(*answer);
        return 1;
    }
    if (options.json) {
        std::fputs(answer->body.c_str(), stdout);
    } else {
        print(answer->body);
    }
    return 0;
}

}  // namespace relay
