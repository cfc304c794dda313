// Key: one key of a table of the configuration: its name, how it is read into a member of the
// settings, how its value is written, when a changed value comes into force, and what it means. A
// list of them is the schema of the table (relay/config/schema.h); the reader,
// docs/configuration.md and the comparison of two configurations follow from it. Immutable values
// of the main thread and of the one that reads a configuration for a reload.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/config/key_lines.h"
#include "relay/config/section.h"

namespace relay {

// When a value that was changed in the file comes into force: docs/decisions/0016.
enum class InForce : std::uint8_t { reload, restart };

template <class Settings>
struct Key {
    // kind: one of relay/config/kinds.h. text: the meaning, as Markdown; empty: the key is reserved
    // and not documented. preset: what holds without the key, where that is no value of its own.
    template <class Value, class Kind>
    Key(std::string_view key, Value Settings::* member, const Kind& kind, InForce when,
        std::string_view text, std::string_view preset = {})
        : name(key), type(kind.type()), in_force(when), meaning(text), without(preset) {
        read = [key, member, kind](Section& from, Settings& into) {
            return kind.read(from, key, into.*member);
        };
        write = [member, kind](const Settings& settings) { return kind.write(settings.*member); };
    }
    // The kind reads into the settings as a whole.
    template <class Kind>
    Key(std::string_view key, const Kind& kind, InForce when, std::string_view text,
        std::string_view preset = {})
        : name(key), type(kind.type()), in_force(when), meaning(text), without(preset) {
        read = [key, kind](Section& from, Settings& into) { return kind.read(from, key, into); };
        write = [kind](const Settings& settings) { return kind.write(settings); };
    }

    std::string_view name;
    std::string type;
    InForce in_force;
    std::string_view meaning;
    std::string_view without;
    std::function<bool(Section&, Settings&)> read;  // false: the key is absent, or wrong
    std::function<std::string(const Settings&)> write;
};

template <class Settings>
using Keys = std::vector<Key<Settings>>;

// Reads every key of the schema; notes the lines of those that are there and right.
template <class Settings>
void read_keys(Section& from, const Keys<Settings>& keys, Settings& into, KeyLines& lines) {
    for (const Key<Settings>& key : keys) {
        if (key.read(from, into)) lines.note(key.name, from.take(key.name)->line);
    }
}

}  // namespace relay
