// PolicySource: the seam between MTA-STS and the web: fetches the policy file of a domain.
// WebPolicies asks the domain's policy host, tests answer from a table. One per shard, used on it
// only. A fetch always ends, within a minute.
#pragma once

#include <cstdint>
#include <string>

#include "core/runtime/task.h"

namespace relay {

// As RFC 8460 section 4.3 tells them apart.
enum class FetchFault : std::uint8_t { none, fetch, webpki };

struct FetchedPolicy {
    FetchFault fault = FetchFault::fetch;
    std::string text;    // of the file, when there is no fault
    std::string reason;  // of the fault
};

class PolicySource {
  public:
    virtual ~PolicySource() = default;
    // domain: a normal name (A-labels, lower case).
    virtual core::Task<FetchedPolicy> fetch(std::string domain) = 0;
};

}  // namespace relay
