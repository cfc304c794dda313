// reload(): what SIGHUP does. The configuration file and everything that it names are read and
// checked on a thread of its own, so that no loop waits; with a mistake anywhere nothing changes,
// and the log names all of them with file and line. What takes effect: bounce rules, shaping,
// routes with their certificates and logins, and the keys that the schema gives InForce::reload.
// The log names each changed key, old and new value and line, and warns of those that need a
// restart (at most 100 of each). What takes effect is one immutable value that reaches each shard
// by a letter and is put in force there in one turn: for failures that come home, recipients that
// are routed and connections that are opened from then on. All other keys are as of the start. Runs
// on shard 0; one at a time; waits for the start; a node that is draining reloads nothing. What
// throws while the files are read refuses the reload.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/task.h"
#include "relay/node/node.h"

namespace relay {

// What a reload came to: changes that are in force now and, if it was refused, only problems.
struct ReloadOutcome {
    std::vector<std::string> changes{};
    std::vector<std::string> problems{};
};

core::Task<ReloadOutcome> reload(Node* node, core::Shard* shard, std::filesystem::path config_file);

}  // namespace relay
