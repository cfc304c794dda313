// posthaste queue list|show|suspend|resume|bounce|retry|rebind
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <simdjson.h>
#include <spdlog/fmt/fmt.h>

#include "core/base/json_text.h"
#include "relay/control/cli/answer.h"
#include "relay/control/cli/commands.h"

namespace relay {

namespace {

using Element = simdjson::dom::element;

std::string or_dash(std::string value) {
    return value.empty() ? "-" : value;
}

void print_queues(const std::string& body) {
    simdjson::dom::parser parser;
    Element root;
    simdjson::dom::array queues;
    if (parser.parse(body).get(root) || root["queues"].get(queues)) return print_line(body);
    print_line(fmt::format("{:>10} {:>10} {:<20} {:<28} {:<16} {:<16} {}", "WAITING", "SUSPENDED",
                           "NEXT ATTEMPT", "DOMAIN", "TENANT", "CAMPAIGN", "LAST REPLY"));
    for (const Element queue : queues) {
        print_line(fmt::format("{:>10} {:>10} {:<20} {:<28} {:<16} {:<16} {}",
                               number(queue, "scheduled"), number(queue, "suspended"),
                               or_dash(text(queue, "next_attempt")), text(queue, "domain"),
                               or_dash(text(queue, "tenant")), or_dash(text(queue, "campaign")),
                               or_dash(text(queue, "last_reply"))));
    }
    if (const auto left = number(root, "recipients_left_out"); left > 0) {
        print_line(fmt::format("{} more recipients, in {} more queues", left,
                               number(root, "queues_left_out")));
    }
}

void print_paths(const std::string& body) {
    simdjson::dom::parser parser;
    Element root;
    simdjson::dom::array paths;
    if (parser.parse(body).get(root) || root["paths"].get(paths)) return print_line(body);
    print_line(fmt::format("{:>10} {:>11} {:>6} {:>6} {:<30} {}", "READY", "CONNECTIONS", "LIMIT",
                           "WINDOW", "WAITS FOR", "PATH"));
    for (const Element path : paths) {
        print_line(fmt::format("{:>10} {:>11} {:>6} {:>6} {:<30} {}", number(path, "ready"),
                               number(path, "connections"), number(path, "connection_limit"),
                               number(path, "window"), or_dash(text(path, "reason")),
                               text(path, "name")));
    }
}

void print_orders(const std::string& body) {
    simdjson::dom::parser parser;
    simdjson::dom::array orders;
    if (parser.parse(body).get(orders)) return print_line(body);
    for (const Element order : orders) {
        std::string what;
        for (const char* key : {"domain", "site", "provider", "tenant", "campaign", "source"}) {
            const std::string value = text(order, key);
            if (!value.empty()) what += std::string(what.empty() ? "" : ", ") + key + " " + value;
        }
        print_line(fmt::format("{} {:<12} for {:<8} {} ({}, by {})", text(order, "id"),
                               text(order, "kind"), text(order, "duration"),
                               what.empty() ? "all mail" : what, or_dash(text(order, "reason")),
                               or_dash(text(order, "who"))));
    }
}

void print_id(const std::string& body) {
    simdjson::dom::parser parser;
    std::string_view id;
    if (parser.parse(body)["id"].get(id)) return print_line(body);
    print_line(std::string(id));
}

void print_done(const std::string&) {}

constexpr const char* kKinds[] = {"suspend", "suspend-path", "bounce"};

std::string path_of(const std::string& kind) {
    return "/api/admin/" + kind + "/v1";
}

// list: queues and paths. show: those of a selection, and the orders.
class QueueList final : public RemoteCommand {
  public:
    QueueList(CLI::App& queue, const char* name, const char* meaning) : orders_(name[0] == 's') {
        command_ = queue.add_subcommand(name, meaning);
        options_.add_to(*command_);
        selection_.add_to(*command_);
    }
    bool parsed() const override { return command_->parsed(); }
    int run() override {
        const AdminClient client = options_.client();
        const std::string query = selection_.query();
        const std::string path = "/api/admin/queues/v1";
        const int status =
            show(options_, client.get(query.empty() ? path : path + "?" + query), print_queues);
        if (status != 0 || options_.json) return status;
        if (!orders_) {
            std::puts("");
            return show(options_, client.get("/api/admin/paths/v1"), print_paths);
        }
        for (const char* kind : kKinds) {
            if (show(options_, client.get(path_of(kind)), print_orders) != 0) return 1;
        }
        return 0;
    }

  private:
    CLI::App* command_;
    AdminOptions options_;
    SelectionOptions selection_;
    bool orders_;
};

// suspend, bounce: an order.
class QueueOrder final : public RemoteCommand {
  public:
    QueueOrder(CLI::App& queue, std::string kind, const char* meaning) : kind_(std::move(kind)) {
        command_ = queue.add_subcommand(kind_, meaning);
        options_.add_to(*command_);
        selection_.add_to(*command_);
        command_->add_option("--reason", reason_, "Why, for events, logs and colleagues");
        command_->add_option("--for", duration_, "How long, as \"30m\" or \"2d\"; otherwise 5m");
        command_->add_flag("--all", all_, "All mail, as nothing is selected");
    }
    bool parsed() const override { return command_->parsed(); }
    int run() override {
        if (selection_.empty() && !all_) {
            std::fprintf(stderr,
                         "posthaste: queue %s needs --domain, --site, --provider, --tenant, "
                         "--campaign or --source; or --all\n",
                         kind_.c_str());
            return 2;
        }
        std::string json = "{" + selection_.json_fields();
        for (const auto& [name, value] :
             {std::pair{"reason", &reason_}, std::pair{"duration", &duration_}}) {
            if (value->empty()) continue;
            if (json.size() > 1) json += ',';
            json.append("\"").append(name).append("\":");
            core::append_json_string(json, *value);
        }
        return show(options_, options_.client().send("POST", path_of(endpoint()), json + "}"),
                    print_id);
    }

  private:
    // Source and site are those of one path.
    std::string endpoint() const {
        const bool path = kind_ == "suspend" && !selection_.source.empty() &&
                          !selection_.site.empty() && selection_.domain.empty() &&
                          selection_.provider.empty() && selection_.tenant.empty() &&
                          selection_.campaign.empty();
        return path ? "suspend-path" : kind_;
    }

    std::string kind_;
    CLI::App* command_;
    AdminOptions options_;
    SelectionOptions selection_;
    std::string reason_;
    std::string duration_;
    bool all_ = false;
};

// resume: ends suspensions and bounces, by id or by what they select.
class QueueResume final : public RemoteCommand {
  public:
    explicit QueueResume(CLI::App& queue) {
        command_ = queue.add_subcommand(
            "resume",
            "End a suspension or a bounce: the one with this ID, or those that select "
            "what the options name.");
        command_->add_option("ID", id_, "Id, as suspend and bounce printed it");
        options_.add_to(*command_);
        selection_.add_to(*command_);
        command_->add_flag("--all", all_, "Every one");
    }
    bool parsed() const override { return command_->parsed(); }
    int run() override {
        if (id_.empty() && selection_.empty() && !all_) {
            std::fputs("posthaste: queue resume needs an ID, --domain, --tenant, ...; or --all\n",
                       stderr);
            return 2;
        }
        std::size_t ended = 0;
        for (const char* kind : kKinds) {
            const int status = end_of(kind, ended);
            if (status != 0) return status;
        }
        if (ended > 0) return 0;
        std::fputs(
            "posthaste: no suspension and no bounce is like that; \"queue show\" lists "
            "them\n",
            stderr);
        return 1;
    }

  private:
    int end_of(const char* kind, std::size_t& ended) {
        const AdminClient client = options_.client();
        const auto listed = client.get(path_of(kind));
        if (!listed || listed->status >= 400) return show(options_, listed, print_done);
        simdjson::dom::parser parser;
        simdjson::dom::array orders;
        if (parser.parse(listed->body).get(orders)) return show(options_, listed, print_done);
        for (const Element order : orders) {
            if (!is_meant(order)) continue;
            std::string json = "{\"id\":";
            core::append_json_string(json, text(order, "id"));
            if (show(options_, client.send("DELETE", path_of(kind), json + "}"), print_id) != 0) {
                return 1;
            }
            ++ended;
        }
        return 0;
    }
    bool is_meant(Element order) const {
        if (!id_.empty()) return text(order, "id") == id_;
        if (all_) return true;
        const auto same = [&order](const char* key, const std::string& value) {
            return text(order, key) == value;
        };
        return same("domain", selection_.domain) && same("site", selection_.site) &&
               same("provider", selection_.provider) && same("tenant", selection_.tenant) &&
               same("campaign", selection_.campaign) && same("source", selection_.source);
    }

    CLI::App* command_;
    AdminOptions options_;
    SelectionOptions selection_;
    std::string id_;
    bool all_ = false;
};

// retry, rebind: something that is done once.
class QueueAction final : public RemoteCommand {
  public:
    QueueAction(CLI::App& queue, std::string name, const char* meaning) : name_(std::move(name)) {
        command_ = queue.add_subcommand(name_, meaning);
        options_.add_to(*command_);
        selection_.add_to(*command_);
        command_->add_option("--reason", reason_, "Why, for the audit log");
    }
    bool parsed() const override { return command_->parsed(); }
    int run() override {
        std::string json = "{" + selection_.json_fields();
        if (!reason_.empty()) {
            json += json.size() > 1 ? ",\"reason\":" : "\"reason\":";
            core::append_json_string(json, reason_);
        }
        return show(options_, options_.client().send("POST", path_of(name_), json + "}"),
                    print_done);
    }

  private:
    std::string name_;
    CLI::App* command_;
    AdminOptions options_;
    SelectionOptions selection_;
    std::string reason_;
};

}  // namespace

void add_queue_commands(CLI::App& app, std::vector<std::unique_ptr<RemoteCommand>>& commands) {
    CLI::App* queue = app.add_subcommand("queue", "Look at queues of a running relay, and act.");
    queue->require_subcommand(1);
    commands.push_back(std::make_unique<QueueList>(
        *queue, "list", "Queues that wait for a time, and paths with the reason each waits."));
    commands.push_back(std::make_unique<QueueList>(
        *queue, "show", "Queues that the options select; suspensions and bounces."));
    commands.push_back(std::make_unique<QueueOrder>(
        *queue, "suspend", "Let mail wait, old and new; print the id of the suspension."));
    commands.push_back(std::make_unique<QueueResume>(*queue));
    commands.push_back(std::make_unique<QueueOrder>(
        *queue, "bounce", "Give mail up, old and new, with AdminBounce events. No way back."));
    commands.push_back(
        std::make_unique<QueueAction>(*queue, "retry", "Try what waits for a time now."));
    commands.push_back(std::make_unique<QueueAction>(
        *queue, "rebind", "Move mail to another pool (not in this version)."));
}

}  // namespace relay
