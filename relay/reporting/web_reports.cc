#include "relay/reporting/web_reports.h"

#include <utility>

namespace relay {

core::Task<std::string> WebReports::post(HttpsUrl url, std::string file) {
    const core::Instant deadline = shard_.now() + kTime;
    const auto found = co_await dns::resolve_addresses(resolver_, url.host, rules_);
    if (!found) co_return found.error().text;
    std::string reason = "no address could be tried";
    std::size_t tried = 0;
    for (const core::IpAddress& address : found->addresses) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - shard_.now());
        if (tried++ == kMostAddresses || left.count() <= 0) break;
        const core::HttpsReply reply =
            co_await client_.ask({.host = url.host,
                                  .path = url.path,
                                  .address = {address, url.port},
                                  .timeout = left,
                                  .content_type = "application/tlsrpt+gzip",
                                  .content = file});
        const bool answered =
            reply.fault == core::HttpsFault::none || reply.fault == core::HttpsFault::too_long;
        if (answered && reply.status >= 200 && reply.status < 300) co_return "";
        reason = answered ? "HTTP status " + std::to_string(reply.status) : reply.reason;
        if (reply.fault != core::HttpsFault::network) break;
    }
    co_return reason;
}

}  // namespace relay
