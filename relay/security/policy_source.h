// PolicySource: the seam between MTA-STS and the web: fetches the policy file of a domain.
// WebPolicies asks the domain's policy host, tests answer from a table. One per shard, used on it
// only. locate() asks DNS, which has limits of its own; fetch() ends within the time it is given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/runtime/task.h"

namespace relay {

// As RFC 8460 section 4.3 tells them apart.
enum class FetchFault : std::uint8_t { none, fetch, webpki };

struct FetchedPolicy {
    FetchFault fault = FetchFault::fetch;
    bool timed_out = false;
    std::string text;    // of the file, when there is no fault
    std::string reason;  // of the fault
};

struct PolicyHost {
    std::vector<core::IpAddress> addresses;  // empty: none is known
    std::string reason;                      // why
};

class PolicySource {
  public:
    virtual ~PolicySource() = default;
    // domain: a normal name (A-labels, lower case). The policy host's addresses.
    virtual core::Task<PolicyHost> locate(std::string domain) = 0;
    virtual core::Task<FetchedPolicy> fetch(std::string domain, PolicyHost host,
                                            core::Duration time) = 0;
};

}  // namespace relay
