// ReportDoor: the seam between reports and the web. post() hands a gzipped TLS report in by HTTPS
// POST (RFC 8460 section 5.4). WebReports asks the receiver's server; tests note what they got.
// Used on the reporter's shard only. A post always ends, within a minute or two.
#pragma once

#include <string>

#include "core/runtime/task.h"
#include "relay/tlsrpt/record.h"

namespace relay {

class ReportDoor {
  public:
    virtual ~ReportDoor() = default;
    // Empty: it was taken (2xx). Otherwise why not.
    virtual core::Task<std::string> post(HttpsUrl url, std::string file) = 0;
};

// Where nothing can be verified, for want of roots.
class NoWebReports final : public ReportDoor {
  public:
    core::Task<std::string> post(HttpsUrl, std::string) override {
        co_return "there are no trusted roots to verify the server with";
    }
};

}  // namespace relay
