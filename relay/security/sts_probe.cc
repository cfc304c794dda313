// sts_probe: what an MTA-STS policy file means to the relay. Reads the file from standard input and
// prints one JSON line: null for a policy that is invalid, otherwise what it says and whether it
// allows each host that was given as an argument. For operators and for the system tests.
#include <iostream>
#include <iterator>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "relay/security/sts_policy.h"

int main(int argc, char** argv) {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    const auto policy = relay::parse_sts_policy(text);
    if (!policy) {
        fmt::print("null\n");
        return 0;
    }
    std::vector<std::string> patterns;
    for (const std::string& pattern : policy->mx)
        patterns.push_back('"' + pattern + '"');
    std::vector<std::string> allowed;
    for (int i = 1; i < argc; ++i)
        allowed.emplace_back(policy->allows(argv[i]) ? "true" : "false");
    fmt::print(R"({{"mode":"{}","max_age":{},"mx":[{}],"allows":[{}]}})"
               "\n",
               to_string(policy->mode), policy->max_age.count(), fmt::join(patterns, ","),
               fmt::join(allowed, ","));
    return 0;
}
