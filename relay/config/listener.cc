#include "relay/config/listener.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "core/base/ascii.h"
#include "relay/config/kinds.h"
#include "relay/config/schema.h"
#include "relay/message/address.h"

namespace relay {
namespace {

constexpr std::size_t kMostFieldName = 77;  // octets

std::string name_complaint(std::string_view text) {
    return text.empty() || text.size() > 64 ? "must have 1 to 64 characters" : "";
}

// RFC 5322 section 2.2; fields that mail cannot do without must not be taken out.
std::string field_complaint(std::string_view text) {
    if (text.empty()) return "";
    const bool printable =
        std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127 && c != ':'; });
    if (!printable || text.size() > kMostFieldName) {
        return "= " + toml_text(text.substr(0, 80)) +
               " is not the name of a header field such as \"X-Tenant\"";
    }
    for (const char* own : {"from", "to", "cc", "bcc", "sender", "reply-to", "date", "subject",
                            "message-id", "received", "mime-version", "content-type",
                            "content-transfer-encoding", "dkim-signature"}) {
        if (core::equals_ignoring_case(text, own)) {
            return "= " + toml_text(text) + ": that field is part of the mail, and would be lost";
        }
    }
    return "";
}

struct HostNames {
    static std::string type() { return "list of host names"; }
    static bool read(Section& from, std::string_view key, std::vector<std::string>& into) {
        std::vector<TextAtLine> names;
        if (!from.texts(key, names)) return false;
        into.clear();
        for (const TextAtLine& item : names) {
            if (is_domain(item.text)) {
                into.push_back(item.text);
            } else {
                from.problem_with(key, item.line,
                                  ": " + toml_text(item.text.substr(0, 80)) +
                                      " is not a host name, without a port, such as "
                                      "\"mail.example.com\"");
            }
        }
        return true;
    }
    static std::string write(const std::vector<std::string>& names) { return toml_text(names); }
};

struct Services {
    static std::string type() { return "list of `\"inject\"`, `\"admin\"`, `\"metrics\"`"; }
    static bool read(Section& from, std::string_view key, ListenerConfig& into) {
        std::vector<TextAtLine> served;
        if (!from.texts(key, served)) return false;
        into.serve_inject = into.serve_admin = into.serve_metrics = false;
        for (const TextAtLine& item : served) {
            if (item.text == "inject") {
                into.serve_inject = true;
            } else if (item.text == "metrics") {
                into.serve_metrics = true;
            } else if (item.text == "admin") {
                into.serve_admin = true;
            } else if (item.text == "console") {
                from.problem_with(key, item.line,
                                  "= \"" + item.text + "\" is not available in this version; " +
                                      "\"inject\", \"admin\" and \"metrics\" are");
            } else {
                from.problem_with(key, item.line,
                                  "has no service " + toml_text(item.text.substr(0, 80)) +
                                      "; there are \"inject\", \"admin\" and \"metrics\"");
            }
        }
        return true;
    }
    static std::string write(const ListenerConfig& listener) {
        std::vector<std::string> served;
        if (listener.serve_inject) served.emplace_back("inject");
        if (listener.serve_admin) served.emplace_back("admin");
        if (listener.serve_metrics) served.emplace_back("metrics");
        return toml_text(served);
    }
};

// A network that holds most of the world would make an open relay, which gets its addresses listed
// within hours. No private network is larger than 10.0.0.0/8 and fc00::/7.
void check_allow(Section& from, const ListenerConfig& listener) {
    for (const core::IpNetwork& network : listener.allow) {
        const bool v4 = network.to_string().contains('.');
        if (network.prefix_length() >= (v4 ? 8 : 7)) continue;
        from.problem_with("allow", from.take("allow")->line,
                          "must not contain " + network.to_string() +
                              ": anybody could send mail through this relay (an open relay); name "
                              "the networks of your own senders");
    }
}

// A transaction of SMTP makes one message, a request by HTTP several (docs/decisions/0050).
void check_recipients(Section& from, const ListenerConfig& listener) {
    const bool smtp = listener.protocol == ListenerProtocol::smtp;
    if (!smtp || listener.max_recipients <= kMostSmtpRecipients) return;
    from.problem_with("max_recipients", from.take("max_recipients")->line,
                      "may be 20000 at most for SMTP: a session sends a longer list in several "
                      "transactions");
}

void check_addresses(Section& from) {
    const core::TomlValue* addresses = from.take("address");
    if (addresses == nullptr) {
        from.problem(from.line(), "[[listener]] needs an address such as [\"127.0.0.1:2525\"]");
    } else if (addresses->kind == core::TomlValue::Kind::array && addresses->items.empty()) {
        from.problem_with("address", addresses->line, "must name at least one address");
    }
}

void check_label_fields(Section& from, const ListenerConfig& listener) {
    std::set<std::string> names;
    for (const auto& [key, name] : {std::pair{"tenant_header", &listener.tenant_header},
                                    std::pair{"campaign_header", &listener.campaign_header},
                                    std::pair{"priority_header", &listener.priority_header}}) {
        if (name->empty() || names.insert(core::to_lower(*name)).second) continue;
        from.problem_with(key, from.take(key)->line,
                          "= " + toml_text(*name) + ": another key names that field already");
    }
}

void refuse_keys(Section& from, const Keys<ListenerConfig>& keys, std::string_view protocol) {
    for (const Key<ListenerConfig>& key : keys) {
        const core::TomlValue* value = from.take(key.name);
        if (value == nullptr) continue;
        from.problem_with(key.name, value->line,
                          "is for listeners with protocol = \"" + std::string(protocol) + "\"");
    }
}

// 0.0.0.0 and an IPv4 address, or :: and an IPv6 address, at one port: whoever listens first keeps
// the other from it. :: does not listen on IPv4.
bool overlap(const core::SocketAddress& one, const core::SocketAddress& other) {
    const core::IpAddress any_v6 = core::IpAddress::v6({});
    const auto everywhere = [&any_v6](const core::IpAddress& ip) {
        return ip == core::IpAddress{} || ip == any_v6;
    };
    return one.port == other.port && one.ip.is_v4() == other.ip.is_v4() &&
           (everywhere(one.ip) || everywhere(other.ip));
}

}  // namespace

const Keys<ListenerConfig>& listener_keys() {
    using Listener = ListenerConfig;
    static const Keys<Listener> kKeys{
        {"name", &Listener::name, Text{name_complaint}, InForce::restart, "for logs; no two alike",
         "the protocol"},
        {"protocol", &Listener::protocol,
         Words<ListenerProtocol>{
             {{"smtp", ListenerProtocol::smtp}, {"http", ListenerProtocol::http}}},
         InForce::restart, "what clients speak"},
        {"address", &Listener::addresses, Addresses{-1, true}, InForce::restart,
         "`\"ip:port\"` or `\"[ipv6]:port\"`; port 0 takes a free one", "required"},
        {"allow", &Listener::allow, Networks{}, InForce::restart,
         "networks that may inject; an empty list means nobody. A network larger than any private "
         "one (shorter than /8, or /7 for IPv6) is refused: it would make an open relay. An IPv4 "
         "address written as IPv6 (`::ffff:1.2.3.4`) counts as the IPv4 address"},
        {"max_message_size", &Listener::max_message_size, Size{1024, 1ULL << 30}, InForce::restart,
         "more is refused: 552 5.3.4, 413"},
        {"max_recipients", &Listener::max_recipients, Integer{1, kMostRecipients}, InForce::restart,
         "per message: 452 4.5.3; SMTP takes 20,000 at most. Of a request: 413",
         "`1000`; HTTP `1000000`"},
        {"max_connections", &Listener::max_connections, Integer{1, 1'000'000}, InForce::restart,
         "of clients in `allow`, open at once: 421 4.7.0, 503. One address takes nine tenths of "
         "them at most, where they are 100 or more. Strangers have places beside these, a tenth "
         "as many and 128 at most ([decision 0027](decisions/0027-shares-at-the-doors.md))"},
        {"bounces", &Listener::bounces,
         Words<BouncePolicy>{{{"record", BouncePolicy::record},
                              {"mail", BouncePolicy::mail},
                              {"both", BouncePolicy::both}}},
         InForce::restart,
         "how the sender of mail that came in here learns of failures: `\"record\"`, by "
         "[events](events.md); `\"mail\"`, by a [notification](#notifications-by-mail) in place "
         "of the Bounce or Expiration event; `\"both\"`"},
        {"eight_bit", &Listener::convert_eight_bit,
         Words<bool>{{{"convert", true}, {"keep", false}}}, InForce::restart,
         "`\"convert\"`: content with octets above 127 is made 7-bit MIME before it is queued, so "
         "that every server takes it ([decision "
         "13](decisions/0013-seven-bit-before-the-queue.md)); mail that is signed already is left "
         "as it is. `\"keep\"`: all of it is. What stays 8-bit goes only to servers that offer "
         "8BITMIME"},
        {"max_age", &Listener::max_age, Time{std::chrono::seconds{1}}, InForce::restart,
         "what came in here expires at this age where `[retry]` or its destination would try it "
         "for longer; a message may say less ([`max_age`](http-api.md), or DELIVERBY)",
         "none"},
        {"tenant_header", &Listener::tenant_header, Text{field_complaint, "field name"},
         InForce::restart,
         "a header field, such as `\"X-Tenant\"`, that names the tenant of a message. It is taken "
         "out of the content. By HTTP the field `tenant` of a request goes before it",
         "none"},
        {"campaign_header", &Listener::campaign_header, Text{field_complaint, "field name"},
         InForce::restart, "the same for the campaign", "none"},
        {"priority_header", &Listener::priority_header, Text{field_complaint, "field name"},
         InForce::restart, "the same for the priority: `urgent`, `normal` or `bulk`", "none"},
        {"verp", &Listener::verp, Flag{}, InForce::restart,
         "`true`: each recipient gets a return path of its own, see [below](#verp)"},
        {"tls", Fixed{{"none"}, {"starttls", "implicit"}}, InForce::restart, "only that"},
        {"certificate", NotYet{}, InForce::restart, ""},
        {"private_key", NotYet{}, InForce::restart, ""},
        // "optional" without any credential is what this version does: AUTH is not offered.
        {"auth", Fixed{{"optional", "none"}, {"required"}}, InForce::restart,
         "AUTH is not offered"},
    };
    return kKeys;
}

const Keys<ListenerConfig>& smtp_listener_keys() {
    static const Keys<ListenerConfig> kKeys{
        {"line_endings", &ListenerConfig::line_endings,
         Words<BareEndings>{
             {{"reject", BareEndings::reject}, {"normalize", BareEndings::normalize}}},
         InForce::restart,
         "SMTP: a bare CR or LF in content is refused (`\"reject\"`) or made CRLF "
         "(`\"normalize\"`); see RFC 5321 section 2.3.8"},
    };
    return kKeys;
}

const Keys<ListenerConfig>& http_listener_keys() {
    static const Keys<ListenerConfig> kKeys{
        {"hosts", &ListenerConfig::hosts, HostNames{}, InForce::restart,
         "HTTP: further names that requests may use in `Host`, without a port: the name of a "
         "service or a proxy. Addresses, `localhost` and `[node] hostname` need no entry "
         "([http-api.md](http-api.md#who-may-ask))"},
        {"serve", Services{}, InForce::restart,
         "HTTP: what is served beside `/healthz` and `/readyz`"},
    };
    return kKeys;
}

ListenerConfig default_listener(ListenerProtocol protocol) {
    ListenerConfig listener;
    listener.protocol = protocol;
    const bool smtp = protocol == ListenerProtocol::smtp;
    listener.name = smtp ? "smtp" : "http";
    listener.allow = default_allow();
    // A session of SMTP sends a large list in several transactions, a request by HTTP in one.
    if (!smtp) listener.max_recipients = kMostRecipients;
    return listener;
}

ListenerConfig read_listener(Section& from) {
    const core::TomlValue* protocol = from.take("protocol");
    const bool http = protocol != nullptr && protocol->text == "http";
    ListenerConfig listener =
        default_listener(http ? ListenerProtocol::http : ListenerProtocol::smtp);
    listener.line = from.line();
    read_keys(from, listener_keys(), listener, listener.lines);
    read_keys(from, http ? http_listener_keys() : smtp_listener_keys(), listener, listener.lines);
    refuse_keys(from, http ? smtp_listener_keys() : http_listener_keys(), http ? "smtp" : "http");
    check_addresses(from);
    check_allow(from, listener);
    check_recipients(from, listener);
    check_label_fields(from, listener);
    from.finish();
    return listener;
}

void check_distinct(const std::vector<ListenerConfig>& listeners, Section& top) {
    std::set<std::string> names;
    std::set<core::SocketAddress> addresses;
    for (const ListenerConfig& each : listeners) {
        if (!names.insert(each.name).second) {
            top.problem(each.line, "two listeners have the name \"" + each.name + "\"");
        }
        for (const core::SocketAddress& address : each.addresses) {
            if (address.port == 0) continue;
            if (!addresses.insert(address).second) {
                top.problem(each.line, address.to_string() + " is listened on twice");
                continue;
            }
            const auto other = std::ranges::find_if(addresses, [&address](const auto& known) {
                return known != address && overlap(known, address);
            });
            if (other == addresses.end()) continue;
            top.problem(each.line, address.to_string() + " and " + other->to_string() +
                                       " overlap: one of them needs another port");
        }
    }
}

}  // namespace relay
