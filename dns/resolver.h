// Resolver: the seam between the relay and DNS. AresChannel asks real servers, CachedResolver
// stands in front of it and is what the relay uses; tests script their own. One per shard, used on
// it only. Names are absolute: nothing is ever completed with a search domain (RFC 5321
// section 2.3.5), a trailing dot is allowed and ignored. A name that cannot be asked for (empty
// label, over 63 or 255 octets) is answered nxdomain. A query always ends: bounded tries, then
// timeout or servfail.
#pragma once

#include <string>
#include <utility>

#include "core/runtime/task.h"
#include "dns/wire/answer.h"

namespace dns {

class Resolver {
  public:
    virtual ~Resolver() = default;
    virtual core::Task<DnsAnswer> query(std::string name, RecordType type) = 0;
    // The same with one short try: whoever is silent is a timeout after less than a second for each
    // server. Only AresChannel, and what stands for it in tests, makes a difference.
    virtual core::Task<DnsAnswer> query_briefly(std::string name, RecordType type) {
        return query(std::move(name), type);
    }
};

}  // namespace dns
