// The commands of `posthaste` that ask a running relay: each adds itself to the command line, and
// runs when it was named. The texts that they print are for people; --json prints what the relay
// answered. Exit status: 0, or 1 with a sentence on stderr.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "relay/control/cli/admin_client.h"

namespace relay {

// --admin, --token and --json, of any command.
struct AdminOptions {
    std::string url{};
    std::string token{};
    bool json = false;

    void add_to(CLI::App& command);
    AdminClient client() const;
};

// --domain, --site, ... of a command.
struct SelectionOptions {
    std::string domain{};
    std::string site{};
    std::string provider{};
    std::string tenant{};
    std::string campaign{};
    std::string source{};

    void add_to(CLI::App& command);
    bool empty() const;
    std::string query() const;        // "domain=…&tenant=…"
    std::string json_fields() const;  // "\"domain\":\"…\",…"
};

class RemoteCommand {
  public:
    virtual ~RemoteCommand() = default;
    virtual bool parsed() const = 0;
    virtual int run() = 0;
};

class RemoteCommands {
  public:
    // queue, status, top, message, reload, drain.
    explicit RemoteCommands(CLI::App& app);
    // The command that was named; null: none of these.
    RemoteCommand* named() const;

  private:
    std::vector<std::unique_ptr<RemoteCommand>> commands_;
};

void add_queue_commands(CLI::App& app, std::vector<std::unique_ptr<RemoteCommand>>& commands);
void add_status_commands(CLI::App& app, std::vector<std::unique_ptr<RemoteCommand>>& commands);

// Prints an answer: as it is with --json or when it is no JSON object that print() knows; 1 and its
// messages on stderr if it is a refusal.
int show(const AdminOptions& options, const core::Result<AdminAnswer>& answer,
         void (*print)(const std::string& body));

// What `path show` prints of the live relay beside the report.
int show_live_path(const AdminOptions& options, const std::string& domain);
// `posthaste hash`: reads a secret from the first line of stdin and prints its hash.
int print_hash();

}  // namespace relay
