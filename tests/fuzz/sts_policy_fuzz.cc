// MTA-STS policy files and TXT records from anywhere. What must hold for any octets:
//   - reading stays within a copy of exactly that size, and what is accepted keeps its limits;
//   - what was read, written down plainly, reads as the same; line ends do not matter;
//   - a host that a policy allows equals a pattern, or has one label more than what follows "*.";
//   - an id is 1 to 32 letters and digits, and a second record of ours leaves none.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ascii.h"
#include "relay/security/sts_policy.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

std::string plain(const relay::StsPolicy& policy, std::string_view end) {
    std::string text = "version: STSv1" + std::string(end) +
                       "mode: " + std::string(to_string(policy.mode)) + std::string(end) +
                       "max_age: " + std::to_string(policy.max_age.count()) + std::string(end);
    for (const std::string& pattern : policy.mx)
        text += "mx: " + pattern + std::string(end);
    return text;
}

void check_policy(std::string_view text) {
    const auto policy = relay::parse_sts_policy(text);
    if (!policy) return;
    require(text.size() <= relay::StsPolicy::kMostOctets);
    require(policy->max_age.count() >= 0 && policy->max_age <= relay::StsPolicy::kLongest);
    require(policy->mx.size() <= relay::StsPolicy::kMostPatterns);
    require(policy->mode == relay::StsMode::none || !policy->mx.empty());
    for (const std::string_view end : {"\n", "\r\n"}) {
        const auto again = relay::parse_sts_policy(plain(*policy, end));
        require(again && *again == *policy);
    }
    for (const std::string& pattern : policy->mx) {
        const bool wildcard = pattern.starts_with("*.");
        const std::string host = wildcard ? "one" + pattern.substr(1) : pattern;
        require(policy->allows(host));
        if (policy->mx.size() == 1) require(!policy->allows("two." + host));
    }
}

void check_records(std::string_view text) {
    std::vector<std::string> records;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        records.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    const auto id = relay::sts_id(records);
    if (!id) return;
    require(!id->empty() && id->size() <= 32 && std::ranges::all_of(*id, core::is_alnum));
    records.emplace_back("v=STSv1; id=another");
    require(!relay::sts_id(records));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto copy = std::make_unique<char[]>(size);
    for (std::size_t i = 0; i < size; ++i)
        copy[i] = static_cast<char>(data[i]);
    const std::string_view octets(copy.get(), size);
    check_policy(octets);
    check_records(octets);
    return 0;
}
