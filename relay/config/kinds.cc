#include "relay/config/kinds.h"

#include "core/base/json_text.h"

namespace relay {
namespace {

template <class Items, class Write>
std::string list_of(const Items& items, const Write& write) {
    std::string list = "[";
    for (const auto& item : items)
        list.append(list.size() > 1 ? ", " : "").append(write(item));
    return list + "]";
}

}  // namespace

std::string toml_text(std::string_view text) {
    std::string string;
    core::append_json_string(string, text);
    return string;
}

std::string toml_text(const std::vector<std::string>& texts) {
    return list_of(texts, [](const std::string& text) { return toml_text(text); });
}

std::string Integer::type() const {
    return "integer, " + std::to_string(least) + " to " + std::to_string(most);
}

std::string Size::type() const {
    const bool open = most == Size{}.most;
    return "size, " + core::write_size(least) +
           (open ? " or more" : " to " + core::write_size(most));
}

std::string ShareOrSize::write(const SizeOrShare& value) {
    return toml_text(value.percent == 0 ? core::write_size(value.octets)
                                        : std::to_string(value.percent) + "%");
}

std::string Time::type() const {
    const bool open = most == core::Duration::max();
    if (open)
        return least == core::Duration{} ? "time"
                                         : "time, " + core::write_duration(least) + " or more";
    return "time, " + core::write_duration(least) + " to " + core::write_duration(most);
}

bool Text::read(Section& from, std::string_view key, std::string& into) const {
    std::string text;
    if (!from.text(key, text)) return false;
    if (const std::string wrong = complaint(text); !wrong.empty()) {
        from.problem_with(key, from.take(key)->line, wrong);
        return false;
    }
    into = std::move(text);
    return true;
}

std::string Fixed::type() const {
    std::string list;
    for (const std::string_view word : words)
        list.append(list.empty() ? "`" : ", `").append(toml_text(word)).append("`");
    return list;
}

bool Fixed::check(Section& from, std::string_view key) const {
    std::vector<Section::Word<std::size_t>> known;
    for (const std::string_view word : words)
        known.push_back({word, known.size()});
    std::size_t ignored = 0;
    return from.choice(key, ignored, known, later);
}

bool Directory::read(Section& from, std::string_view key, std::filesystem::path& into) const {
    std::string name;
    if (!from.text(key, name)) return false;
    if (name.empty()) {
        if (!may_be_empty) from.problem_with(key, from.take(key)->line, "must not be empty");
        return false;
    }
    into = name;
    return true;
}

std::string Files::write(const std::vector<NamedFile>& files) {
    return list_of(files, File::write);
}

bool Networks::read(Section& from, std::string_view key, std::vector<core::IpNetwork>& into) {
    std::vector<TextAtLine> items;
    if (!from.texts(key, items)) return false;
    into.clear();
    for (const TextAtLine& item : items) {
        const auto network = core::IpNetwork::parse(item.text);
        if (network) {
            into.push_back(*network);
        } else {
            from.problem_with(key, item.line, ": " + network.error());
        }
    }
    return true;
}

std::string Networks::write(const std::vector<core::IpNetwork>& networks) {
    return list_of(networks, [](const auto& each) { return toml_text(each.to_string()); });
}

bool Addresses::read(Section& from, std::string_view key,
                     std::vector<core::SocketAddress>& into) const {
    std::vector<TextAtLine> items;
    if (!from.texts(key, items)) return false;
    into.clear();
    for (const TextAtLine& item : items) {
        const auto address = core::SocketAddress::parse(item.text, default_port);
        if (address && (any_port || address->port != 0)) {
            into.push_back(*address);
        } else {
            from.problem_with(
                key, item.line,
                ": " + (address ? "\"" + item.text + "\" has port 0" : address.error()));
        }
    }
    return true;
}

std::string Addresses::write(const std::vector<core::SocketAddress>& addresses) {
    return list_of(addresses, [](const auto& each) { return toml_text(each.to_string()); });
}

bool Times::read(Section& from, std::string_view key, std::vector<core::Duration>& into) const {
    std::vector<TextAtLine> items;
    if (!from.texts(key, items)) return false;
    if (items.empty()) {
        from.problem_with(key, from.take(key)->line, "must have at least one time");
        return false;
    }
    into.clear();
    for (const TextAtLine& item : items) {
        const auto time = core::parse_duration(item.text);
        if (time && *time >= least) {
            into.push_back(*time);
        } else {
            from.problem_with(key, item.line,
                              ": " + (time ? "\"" + item.text + "\" is too short" : time.error()));
        }
    }
    return true;
}

std::string Times::write(const std::vector<core::Duration>& times) {
    return list_of(times, Time::write);
}

}  // namespace relay
