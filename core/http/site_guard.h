// SiteGuard: refuses requests that a web page sends from the browser of somebody near us. A page
// may make a browser post to any address, and it may point a name of its own at ours (DNS
// rebinding). So Host (or the authority of an absolute target) must be an address, "localhost" or
// one of our names, else 421 (RFC 9110 section 7.4). A request with an Origin (RFC 6454) must come
// from the site it goes to, or from one of our names, else 403. Programs send no Origin. A request
// without Host (HTTP/1.0) comes from no browser and passes. Pure; immutable after construction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/message.h"

namespace core {

class SiteGuard {
  public:
    // names: host names without a port, in any case.
    explicit SiteGuard(const std::vector<std::string>& names);

    // What to answer to a request that was not meant for us.
    std::optional<HttpResponse> check(const HttpRequest& head) const;

  private:
    bool is_ours(std::string_view host) const;

    std::vector<std::string> names_;  // in lower case
};

}  // namespace core
