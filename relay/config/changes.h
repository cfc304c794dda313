// each_change(): what differs between two configurations, key by key, with the places that set the
// old and the new value, and whether a reload puts the new one in force. A reload logs them, and
// `posthaste check --against` prints them. Values are compared as they are in force, so a key that
// is set to its default is no change. What the files that a key names hold is compared for shaping
// files only. Pure. Nothing is collected here: there may be a change for each of very many domains.
#pragma once

#include <functional>
#include <string>

#include "relay/config/check.h"
#include "relay/config/key.h"
#include "relay/shaping/file_line.h"

namespace relay {

struct Change {
    std::string key;        // "[node] shards"
    FileLine old_place;     // without a line: the file does not set the key
    std::string old_value;  // empty: there was no such table
    FileLine new_place;
    std::string new_value;  // empty: there is no such table any more
    InForce in_force = InForce::restart;

    // "new.toml:7: [node] shards: 2 (old.toml:5) → 4"
    std::string to_string() const;
};

// In the order of the tables of the schema, then of the shaping files' domains.
void each_change(const CheckedConfig& before, const CheckedConfig& after,
                 const std::function<void(const Change&)>& visit);

}  // namespace relay
