// AresChannel: asks real DNS servers. c-ares is the transport only (servers, retries, sockets); the
// messages are built and parsed by dns/wire. Its sockets are polled by the shard's IoBackend, one
// one-shot poll per socket, its timeouts wait in one coroutine, so that nothing here ever blocks.
// UDP first; an answer that is truncated or garbled, or that does not repeat the question exactly
// (it may be forged), is asked for again over TCP. A server that does not know EDNS (FORMERR
// without OPT) switches EDNS off for the whole channel. query() waits for kTries rounds over the
// servers; query_briefly() tries each server once, for kBriefTimeout divided by their number but at
// least kBriefestTimeout.
// One per shard. open() reads /etc/resolv.conf: call it before serving. close() ends pending
// queries as servfail, then closes the sockets; await it before the channel dies (asserted).
// Limits: kMaxServers servers; kTries rounds over them (10.5 s in all for a server that is silent);
// kMaxInFlight queries, further ones are answered servfail at once. Each holds its question and
// bookkeeping, no answer, so all of them stay below some MiB, which memory.limit does not count.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "dns/query_ids.h"
#include "dns/resolver.h"

namespace dns {

inline constexpr std::chrono::milliseconds kFirstTimeout{1500};
inline constexpr std::chrono::milliseconds kBriefTimeout{700};
inline constexpr std::chrono::milliseconds kBriefestTimeout{250};

struct AresOptions {
    std::vector<std::string> servers;  // "ip", "ip:port", "[ip6]:port"; none: /etc/resolv.conf
    bool trust_ad = false;             // the AD bit of these servers' answers means something
    std::chrono::milliseconds first_timeout =
        kFirstTimeout;  // each further round waits twice as long
};

struct AresStats {
    std::uint64_t queries = 0;    // messages asked for, over UDP and TCP
    std::uint64_t over_tcp = 0;   // of these over TCP
    std::uint64_t malformed = 0;  // answers that could not be relied on
    bool edns = true;
};

class AresChannel final : public Resolver {
  public:
    static constexpr std::size_t kMaxServers = 4;
    static constexpr std::size_t kMaxInFlight = 4096;
    static constexpr int kTries = 3;

    static core::Result<std::unique_ptr<AresChannel>> open(core::Shard& shard, AresOptions options);
    ~AresChannel() override;

    core::Task<DnsAnswer> query(std::string name, RecordType type) override;
    core::Task<DnsAnswer> query_briefly(std::string name, RecordType type) override;
    core::Task<void> close();

    AresStats stats() const { return stats_; }

  private:
    class Transport;
    struct Exchange;
    struct Ways {  // with the same patience
        std::unique_ptr<Transport> udp;
        std::unique_ptr<Transport> tcp;
    };

    AresChannel(core::Shard& shard, bool trust_ad);
    core::Task<DnsAnswer> query_by(const Ways* ways, std::string name, RecordType type);
    core::Task<DnsAnswer> ask(const Ways* ways, std::string name, RecordType type);
    core::Task<void> exchange(Transport& transport, std::string name, RecordType type,
                              Exchange& result);
    core::Task<void> pump();
    std::array<Transport*, 4> transports() const;

    core::Shard& shard_;
    const bool trust_ad_;
    core::Event work_;  // a socket is ready, a query was sent, or the end has come
    core::Event ended_;
    Ways patient_;
    Ways brief_;
    QueryIds ids_;
    core::TaskGroup tasks_;
    std::size_t running_ = 0;
    bool closing_ = false;
    AresStats stats_;
};

}  // namespace dns
