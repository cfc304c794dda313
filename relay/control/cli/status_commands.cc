// posthaste status, top, message show, reload, drain, hash; what path show says of a live relay.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include <poll.h>
#include <simdjson.h>
#include <spdlog/fmt/fmt.h>

#include "relay/control/api/credential_check.h"
#include "relay/control/cli/answer.h"
#include "relay/control/cli/commands.h"

namespace relay {

namespace {

using Element = simdjson::dom::element;

void print_status(const std::string& body) {
    simdjson::dom::parser parser;
    Element status;
    if (parser.parse(body).get(status)) return print_line(body);
    print_line(fmt::format("{} {} {}, {} shards, up {} s", text(status, "hostname"),
                           text(status, "version"), text(status, "state"), number(status, "shards"),
                           number(status, "uptime_seconds")));
    print_line(fmt::format(
        "queued     {} scheduled ({} suspended), {} ready, {} in flight; the oldest is {} s old",
        number(status, "scheduled"), number(status, "suspended"), number(status, "ready"),
        number(status, "in_flight"), number(status, "oldest_seconds")));
    print_line(fmt::format(
        "since start {} messages received; recipients: {} delivered, {} "
        "deferred, {} bounced, {} expired",
        number(status, "received"), number(status, "delivered"), number(status, "deferred"),
        number(status, "bounced"), number(status, "expired")));
    print_line(fmt::format("connections {} open; {} suspensions and {} bounces in force",
                           number(status, "connections"), number(status, "suspensions"),
                           number(status, "bounces")));
}

void print_waiting_paths(const std::string& body) {
    simdjson::dom::parser parser;
    simdjson::dom::array paths;
    if (parser.parse(body)["paths"].get(paths)) return print_line(body);
    for (const Element path : paths) {
        const std::string reason = text(path, "reason");
        print_line(fmt::format("{:>10} ready, {:>5} connections of {} (window {})  {}  {}",
                               number(path, "ready"), number(path, "connections"),
                               number(path, "connection_limit"), number(path, "window"),
                               text(path, "name"), reason.empty() ? "" : "waits: " + reason));
    }
}

void print_message(const std::string& body) {
    simdjson::dom::parser parser;
    Element message;
    simdjson::dom::array recipients;
    if (parser.parse(body).get(message) || message["recipients"].get(recipients)) {
        return print_line(body);
    }
    print_line(fmt::format("{} from <{}>, {} octets, accepted {}", text(message, "id"),
                           text(message, "sender"), number(message, "size"),
                           text(message, "created")));
    if (!text(message, "tenant").empty() || !text(message, "campaign").empty()) {
        print_line(fmt::format("tenant {}, campaign {}", text(message, "tenant"),
                               text(message, "campaign")));
    }
    for (const Element recipient : recipients) {
        print_line(fmt::format("  <{}> {}, {} attempts, next {}, {}", text(recipient, "recipient"),
                               text(recipient, "state"), number(recipient, "num_attempts"),
                               text(recipient, "next_attempt"), text(recipient, "last_reply")));
    }
}

void print_changes(const std::string& body) {
    simdjson::dom::parser parser;
    simdjson::dom::array changes;
    if (parser.parse(body)["changes"].get(changes)) return print_line(body);
    std::string_view change;
    for (const Element each : changes) {
        if (!each.get(change)) print_line(std::string(change));
    }
    print_line("reloaded");
}

void print_draining(const std::string&) {
    print_line("draining");
}

void print_path(const std::string& body) {
    simdjson::dom::parser parser;
    Element root;
    if (parser.parse(body).get(root)) return print_line(body);
    std::fputs(text(root, "report").c_str(), stdout);
    Element live;
    simdjson::dom::array paths;
    if (root["live"].get(live) || live["paths"].get(paths)) return;
    if (text(root, "site").empty()) {
        return print_line("now: no mail for it was routed lately");
    }
    print_line("now: site " + text(root, "site"));
    if (paths.size() == 0) print_line("now: no path is in use");
    for (const Element path : paths) {
        const std::string reason = text(path, "reason");
        print_line(fmt::format("now: {} ready, {} connections, window {}{}{}",
                               number(path, "ready"), number(path, "connections"),
                               number(path, "window"), reason.empty() ? "" : ", waits: ", reason));
    }
}

class Status final : public RemoteCommand {
  public:
    explicit Status(CLI::App& app) {
        command_ = app.add_subcommand("status", "One screen about a running relay.");
        options_.add_to(*command_);
    }
    bool parsed() const override { return command_->parsed(); }
    int run() override {
        const AdminClient client = options_.client();
        const int status = show(options_, client.get("/api/admin/status/v1"), print_status);
        if (status != 0 || options_.json) return status;
        return show(options_, client.get("/api/admin/paths/v1?limit=10"), print_waiting_paths);
    }

  private:
    CLI::App* command_;
    AdminOptions options_;
};

// The same again and again.
class Top final : public RemoteCommand {
  public:
    explicit Top(CLI::App& app) {
        command_ = app.add_subcommand("top", "The same as status, live.");
        options_.add_to(*command_);
        command_->add_option("--every", every_, "Seconds between two screens")
            ->capture_default_str()
            ->check(CLI::Range(1, 3600));
        command_->add_option("--screens", screens_, "End after so many; 0: never")
            ->capture_default_str();
    }
    bool parsed() const override { return command_->parsed(); }
    int run() override {
        const AdminClient client = options_.client();
        for (unsigned shown = 0; screens_ == 0 || shown < screens_; ++shown) {
            if (shown > 0) ::poll(nullptr, 0, every_ * 1000);
            if (!options_.json) std::fputs("\033[H\033[2J", stdout);
            const int status = show(options_, client.get("/api/admin/status/v1"), print_status);
            if (status != 0) return status;
            if (options_.json) continue;
            show(options_, client.get("/api/admin/paths/v1?limit=20"), print_waiting_paths);
            std::fflush(stdout);
        }
        return 0;
    }

  private:
    CLI::App* command_;
    AdminOptions options_;
    int every_ = 2;
    unsigned screens_ = 0;
};

class MessageShow final : public RemoteCommand {
  public:
    explicit MessageShow(CLI::App& app) {
        CLI::App* message = app.add_subcommand("message", "Look at a message that is queued.");
        message->require_subcommand(1);
        command_ = message->add_subcommand("show", "Envelope, attempts and last replies.");
        command_->add_option("ID", id_, "Id of the message")->required();
        options_.add_to(*command_);
    }
    bool parsed() const override { return command_->parsed(); }
    int run() override {
        return show(options_,
                    options_.client().get("/api/admin/message/v1?id=" + percent_encoded(id_)),
                    print_message);
    }

  private:
    CLI::App* command_;
    AdminOptions options_;
    std::string id_;
};

class Once final : public RemoteCommand {
  public:
    using Print = void (*)(const std::string&);
    Once(CLI::App& app, std::string name, const char* meaning, Print print)
        : name_(std::move(name)), print_(print) {
        command_ = app.add_subcommand(name_, meaning);
        options_.add_to(*command_);
    }
    bool parsed() const override { return command_->parsed(); }
    int run() override {
        return show(options_, options_.client().send("POST", "/api/admin/" + name_ + "/v1", "{}"),
                    print_);
    }

  private:
    std::string name_;
    Print print_;
    CLI::App* command_;
    AdminOptions options_;
};

class Hash final : public RemoteCommand {
  public:
    explicit Hash(CLI::App& app) {
        command_ =
            app.add_subcommand("hash",
                               "Read a secret from the first line of stdin and print its hash, for "
                               "[[credential]] secret.");
    }
    bool parsed() const override { return command_->parsed(); }
    int run() override { return print_hash(); }

  private:
    CLI::App* command_;
};

}  // namespace

int print_hash() {
    std::string secret;
    std::getline(std::cin, secret);
    if (secret.empty()) {
        std::fputs("posthaste: hash reads a secret from stdin, and there was none\n", stderr);
        return 1;
    }
    const std::string hash = hash_secret(secret);
    if (hash.empty()) {
        std::fputs("posthaste: this system has no SHA-512 crypt(3)\n", stderr);
        return 1;
    }
    print_line(hash);
    return 0;
}

int show_live_path(const AdminOptions& options, const std::string& domain) {
    return show(options,
                options.client().get("/api/admin/path/v1?domain=" + percent_encoded(domain)),
                print_path);
}

void add_status_commands(CLI::App& app, std::vector<std::unique_ptr<RemoteCommand>>& commands) {
    commands.push_back(std::make_unique<Status>(app));
    commands.push_back(std::make_unique<Top>(app));
    commands.push_back(std::make_unique<MessageShow>(app));
    commands.push_back(std::make_unique<Once>(
        app, "reload", "Read the configuration again; print what is in force now.", print_changes));
    commands.push_back(std::make_unique<Once>(
        app, "drain", "Take no more mail, finish what is on the way, and end.", print_draining));
    commands.push_back(std::make_unique<Hash>(app));
}

RemoteCommands::RemoteCommands(CLI::App& app) {
    add_queue_commands(app, commands_);
    add_status_commands(app, commands_);
}

RemoteCommand* RemoteCommands::named() const {
    for (const auto& command : commands_) {
        if (command->parsed()) return command.get();
    }
    return nullptr;
}

}  // namespace relay
