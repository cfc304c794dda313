// What smtp_sink was told on its command line, and what it counts. One SinkCounters per shard,
// added up when a report is asked for; violations are faults of the client against RFC 5321, 2920,
// 3030.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/counter.h"
#include "core/base/address.h"
#include "core/base/time.h"

namespace bench {

struct SinkOptions {
    std::vector<core::SocketAddress> listen;
    std::string hostname = "sink.example";
    bool esmtp = true;  // false: EHLO gets 502
    bool pipelining = true;
    bool chunking = true;
    bool eight_bit = true;
    bool smtputf8 = true;
    bool enhanced_codes = true;
    bool after_dot_503 = false;  // answers 503 to what came in one group with the final dot
    std::uint64_t max_size = 64U << 20U;
    std::uint64_t max_recipients = 1000;  // per message; then 452
    std::uint64_t close_after = 0;        // messages per connection; 0: no limit
    std::uint64_t max_connections = 0;    // then 421; 0: no limit
    core::Duration rtt{0};
    core::Duration idle_timeout = std::chrono::minutes{5};
    std::string tls_certificate;  // PEM files; with them STARTTLS is offered
    std::string tls_key;
    bool tls_implicit = false;  // TLS from the first octet instead
    bool tls_tickets = true;    // sessions can be resumed
    std::string ledger;         // file; empty: none
    std::string capture_dir;    // one file per message; empty: none
};

struct SinkCounters {
    Counter connections;
    Counter refused_connections;
    Counter messages;        // accepted
    Counter recipients;      // accepted with their message
    Counter unacknowledged;  // accepted messages whose final reply was withheld by a rule
    Counter octets;          // of accepted content, as on the wire
    Counter by_data;
    Counter by_bdat;
    Counter rejected_recipients;
    Counter rejected_messages;  // at MAIL, DATA or the dot
    Counter after_dot_503;
    Counter violations;
    Counter tls_sessions;
    Counter tls_resumed;
    Counter tls_failed;  // handshakes
    Counter writes;
    Counter reads;
    Counter first_accept_ns;  // monotonic; 0: none yet
    Counter last_accept_ns;
};

}  // namespace bench
