// path_report(): what a configuration says about mail to a domain, for `posthaste path show`: the
// route or the MX hosts that it is to assume, the provider, the table, and each limit with the
// file:line that set it. Asks no network. Pure.
#pragma once

#include <string>
#include <vector>

#include "relay/config/check.h"

namespace relay {

struct PathQuestion {
    std::string domain;
    std::vector<std::string> mx{};  // MX hosts to assume; a route goes before them
    std::string source{kDefaultSource};
};

std::string path_report(const CheckedConfig& checked, const PathQuestion& question);

}  // namespace relay
