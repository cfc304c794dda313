// ShardMetrics: everything one shard counts. Made before the shards start, one each, on cache lines
// of its own; every call below belongs to the owning shard's thread and costs a few nanoseconds.
// Any thread may read it at any time: that is what metrics/exposition.h does. Names, help and label
// values are in metrics/catalogue.h and nowhere else. Destinations are numbered: 0 is "other", 1
// and up are the configured domain tables, at most kMostDestinations in all, so that the number of
// series is bounded whatever mail comes (an index that is out of range counts as "other").
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/time.h"
#include "core/runtime/reactor.h"
#include "metrics/counter.h"
#include "metrics/histogram.h"

namespace metrics {

inline constexpr std::size_t kMostDestinations = 200;
// Tenants with a label of their own, by their numbers; 0 is mail of none. The last stands for
// others.
inline constexpr std::size_t kMostTenantLabels = 200;
inline constexpr std::size_t kOtherDestination = 0;

enum class Protocol : std::uint8_t { smtp, http };
inline constexpr std::size_t kProtocols = 2;

// Why a message, a recipient or a connection was not taken.
enum class Rejection : std::uint8_t {
    relay_denied,  // not in `allow`
    address,       // sender or recipient malformed
    size,          // larger than max_message_size
    recipients,    // more than max_recipients
    content,       // bare CR or LF, header section too long
    malformed,     // syntax, sequence, JSON
    memory_full,   // memory.limit reached
    draining,      // shutting down
    connections,   // max_connections reached
    timeout,       // the client was too slow
    spool_full,    // spool.max_size, spool.min_free or ENOSPC
    spool_failed,  // a write or sync of the journal failed
};
inline constexpr std::size_t kRejections = 12;

enum class Outcome : std::uint8_t { delivered, deferred, bounced, expired };
inline constexpr std::size_t kOutcomes = 4;

// Of orders of operators and of automation.
enum class OrderKind : std::uint8_t { suspend, suspend_path, bounce };
inline constexpr std::size_t kOrderKinds = 3;

// What became of an attempt to open a connection for delivery.
enum class Connect : std::uint8_t {
    ready,        // greeted and EHLO or HELO accepted
    refused,      // by TCP
    timeout,      // connecting or waiting for the greeting
    unreachable,  // no route, no address
    greeting,     // 4xx or 5xx instead of 220, or EHLO and HELO refused
    broken,       // reset or closed before it was ready
};
inline constexpr std::size_t kConnects = 6;

// What became of the wish or demand to encrypt a connection for delivery.
// dane and sts: what the receiver's domain published was more than the configuration asks.
enum class TlsPolicy : std::uint8_t { opportunistic, encrypt, verify, implicit, dane, sts };
inline constexpr std::size_t kTlsPolicies = 6;
enum class TlsResult : std::uint8_t {
    verified,     // encrypted, and the certificate is trusted and the host's own
    unverified,   // encrypted, with any other certificate
    failed,       // the handshake
    untrusted,    // the certificate was not good enough
    refused,      // STARTTLS was offered, and answered with 4xx or 5xx
    not_offered,  // STARTTLS
    stripped,     // not offered, by a host that offered it before
    avoided,      // clear text, because TLS with this host failed in the last days
};
inline constexpr std::size_t kTlsResults = 8;

// What became of a report about TLS (RFC 8460), at one of its places.
enum class TlsReport : std::uint8_t { mailed, posted, failed, given_up };
inline constexpr std::size_t kTlsReportResults = 4;

struct ReportCounters {
    Counter notifications;  // to senders (RFC 3464)
    std::array<Counter, kTlsReportResults> tls;

    void count(TlsReport result) { tls[static_cast<std::size_t>(result)].add(); }
};

enum class Queue : std::uint8_t { scheduled, ready, in_flight };
inline constexpr std::size_t kQueues = 3;

// What held back a recipient that was ready.
enum class Throttle : std::uint8_t {
    message_rate,
    connection_rate,
    connection_limit,
    provider_message_rate,
    provider_connection_limit,
    tenant_message_rate,
};
inline constexpr std::size_t kThrottles = 6;

enum class DnsType : std::uint8_t { a, aaaa, mx, txt, tlsa, other };
inline constexpr std::size_t kDnsTypes = 6;

enum class DnsResult : std::uint8_t { found, no_data, no_domain, failed, timeout };
inline constexpr std::size_t kDnsResults = 5;

// Totals since the start that the shard's resolver keeps as plain numbers: questions sent by type
// and result, and what its cache did.
struct DnsTotals {
    std::array<std::array<std::uint64_t, kDnsResults>, kDnsTypes> lookups{};
    std::uint64_t cache_hits = 0;
    std::uint64_t cache_misses = 0;
    std::uint64_t cache_entries = 0;
    std::uint64_t shed = 0;  // refused because too many were waiting
};

// Totals since the start that the shard's journals keep as plain numbers.
struct SpoolTotals {
    std::uint64_t batches = 0;
    std::uint64_t octets = 0;
    std::uint64_t outcomes = 0;
    std::uint64_t outcomes_dropped = 0;
    std::uint64_t moved_octets = 0;
    std::uint64_t unnoted = 0;
};

struct SpoolCounters {
    Counter batches, octets, outcomes, outcomes_dropped, moved_octets;
    Counter recovered, damaged;                    // recipients; places
    Gauge suspects, set_aside;                     // messages that are held back
    Counter unnoted;                               // as the table of those in hand was full
    Counter contents_evicted, contents_read_back;  // by memory.limit, for delivery
    CommitHistogram commit_seconds;                // how long a message waited for its commit

    void publish(const SpoolTotals& totals);
};

// Totals since the start that the shard's loop and ring keep as plain numbers.
struct EngineTotals {
    std::uint64_t turns = 0;
    std::uint64_t enters = 0;  // system calls of the loop
    std::uint64_t submitted = 0;
    std::uint64_t completed = 0;
    std::uint64_t sends = 0;
    std::uint64_t receives = 0;
    std::uint64_t buffers_exhausted = 0;
    std::uint64_t overflows = 0;
    std::uint64_t busy_ns = 0;
    std::uint64_t idle_ns = 0;
    std::uint64_t longest_turn_ns = 0;
    std::uint64_t letters = 0;     // sent to other shards
    std::uint64_t copied = 0;      // octets moved out of scarce receive buffers
    std::uint64_t held_input = 0;  // octets received and not read, now
    std::array<std::uint64_t, core::kTurnBounds.size() + 1> turns_by_length{};
};

// EngineTotals as others may read them.
struct EngineCounters {
    Counter turns, enters, submitted, completed, sends, receives, buffers_exhausted, overflows,
        busy_ns, idle_ns, longest_turn_ns, busy_parts_per_million, letters, transactions, copied,
        held_input;
    std::array<Counter, core::kTurnBounds.size() + 1> turns_by_length;
};

// Of the orders of operators and of automation.
struct OrderCounters {
    Gauge suspended;  // recipients, of those that are scheduled, that wait for the end of an order
    std::array<Gauge, kOrderKinds> in_force;  // shard 0 says it
};

struct DnsCounters {
    std::array<std::array<Counter, kDnsResults>, kDnsTypes> lookups;
    Counter cache_hits, cache_misses, shed;
    Gauge cache_entries;
};

struct alignas(64) DestinationCounters {
    std::array<Counter, kOutcomes> deliveries;
    std::array<Counter, kConnects> connects;
    std::array<std::array<Counter, kTlsResults>, kTlsPolicies> tls_sessions;
    Gauge connections_open;
    Gauge window;  // connections that its paths may have, as learned
};

// Actions of automation, in the order of relay::AutomationVerb.
inline constexpr std::size_t kAutomationActions = 9;

// What rules of automation do; on shard 0.
struct AutomationCounters {
    std::array<Counter, kAutomationActions> actions;  // that began or were prolonged
    Gauge suspended_paths;
};
class AutomationMetrics {
  public:
    AutomationCounters& automation() { return automation_; }
    const AutomationCounters& automation() const { return automation_; }

  private:
    AutomationCounters automation_;
};

// Outcomes of attempts by tenant, as `delivery` counts them.
class TenantCounters {
  public:
    void count(std::size_t tenant, Outcome outcome) {
        counts_[std::min(tenant, kMostTenantLabels - 1)][static_cast<std::size_t>(outcome)].add();
    }
    const Counter& of(std::size_t label, Outcome outcome) const {
        return counts_[label][static_cast<std::size_t>(outcome)];
    }

  private:
    std::array<std::array<Counter, kOutcomes>, kMostTenantLabels> counts_;
};

class alignas(64) ShardMetrics : public AutomationMetrics {
  public:
    // destinations: how many indices there are, "other" included.
    explicit ShardMetrics(std::size_t destinations = 1);
    ShardMetrics(const ShardMetrics&) = delete;
    ShardMetrics& operator=(const ShardMetrics&) = delete;

    // Injection. A message counts once it is accepted, whatever its number of recipients.
    void received(Protocol protocol) { received_[index(protocol)].add(); }
    void rejected(Protocol p, Rejection why) { rejected_[index(p)][index(why)].add(); }
    void session_opened(Protocol protocol) {
        sessions_[index(protocol)].add();
        sessions_open_[index(protocol)].add();
    }
    void session_closed(Protocol protocol) { sessions_open_[index(protocol)].subtract(); }

    // Queue. Recipients; only the sum over the shards is meaningful, as recipients travel.
    void entered(Queue queue, std::int64_t count = 1) { queues_[index(queue)].add(count); }
    void left(Queue queue, std::int64_t count = 1) { queues_[index(queue)].subtract(count); }
    // When the oldest message that this shard is the origin of was accepted; none: WallTime{}.
    void oldest(core::WallTime created) { oldest_.set(created.time_since_epoch().count()); }
    void content_bytes(std::int64_t held) { content_bytes_.set(held); }
    OrderCounters& orders() { return orders_; }
    SpoolCounters& spool() { return spool_; }

    // Delivery. One outcome of one attempt of one recipient.
    void delivery(std::size_t destination, Outcome outcome) {
        of(destination).deliveries[index(outcome)].add();
    }
    TenantCounters& tenants() { return tenants_; }
    void finished(core::Duration since_accepted) { delivery_seconds_.observe(since_accepted); }
    void connect(std::size_t destination, Connect result) {
        of(destination).connects[index(result)].add();
    }
    void connection_opened(std::size_t destination) { of(destination).connections_open.add(); }
    void connection_closed(std::size_t destination) { of(destination).connections_open.subtract(); }
    void window(std::size_t destination, std::int64_t more) { of(destination).window.add(more); }
    Counter& transactions() { return engine_.transactions; }
    void ambiguous_end() { ambiguous_ends_.add(); }  // RFC 5321 section 3.8
    ReportCounters& reports() { return reports_; }
    void tls_session(std::size_t destination, TlsPolicy policy, TlsResult result) {
        of(destination).tls_sessions[index(policy)][index(result)].add();
    }
    void throttled(Throttle reason) { throttled_[index(reason)].add(); }

    // Called by the shard now and then, at least once a second under load; makes the engine's
    // totals readable and works out the busy ratio since the last call that was 100 ms or more ago.
    void publish(const EngineTotals& totals);
    void publish(const DnsTotals& totals);

    // For exposition and tests; any thread.
    const Counter& received_count(Protocol p) const { return received_[index(p)]; }
    const Counter& rejected_count(Protocol p, Rejection why) const {
        return rejected_[index(p)][index(why)];
    }
    const Counter& session_count(Protocol p) const { return sessions_[index(p)]; }
    const Gauge& sessions_open(Protocol p) const { return sessions_open_[index(p)]; }
    const Gauge& queue(Queue queue) const { return queues_[index(queue)]; }
    core::WallTime oldest() const { return core::WallTime(core::Duration(oldest_.value())); }
    const OrderCounters& orders() const { return orders_; }
    const Gauge& content() const { return content_bytes_; }
    std::size_t destinations() const { return destination_count_; }
    const DestinationCounters& destination(std::size_t i) const { return destinations_[i]; }
    const TenantCounters& tenants() const { return tenants_; }
    const DeliveryHistogram& delivery_seconds() const { return delivery_seconds_; }
    const SpoolCounters& spool() const { return spool_; }
    const Counter& throttled_count(Throttle reason) const { return throttled_[index(reason)]; }
    const ReportCounters& reports() const { return reports_; }
    const Counter& ambiguous_ends() const { return ambiguous_ends_; }
    const DnsCounters& dns() const { return dns_; }
    const EngineCounters& engine() const { return engine_; }

  private:
    template <typename Enum>
    static constexpr std::size_t index(Enum value) {
        return static_cast<std::size_t>(value);
    }
    DestinationCounters& of(std::size_t destination) {
        return destinations_[destination < destination_count_ ? destination : kOtherDestination];
    }

    std::array<Counter, kProtocols> received_, sessions_;
    std::array<std::array<Counter, kRejections>, kProtocols> rejected_;
    std::array<Gauge, kProtocols> sessions_open_;
    std::array<Gauge, kQueues> queues_;
    OrderCounters orders_;
    Gauge oldest_, content_bytes_;
    DeliveryHistogram delivery_seconds_;
    SpoolCounters spool_;
    TenantCounters tenants_;
    std::array<Counter, kThrottles> throttled_;
    Counter ambiguous_ends_;
    ReportCounters reports_;
    DnsCounters dns_;
    EngineCounters engine_;
    std::size_t destination_count_;
    std::unique_ptr<DestinationCounters[]> destinations_;
    std::uint64_t ratio_busy_ns_ = 0, ratio_idle_ns_ = 0;  // totals at the last ratio
};

}  // namespace metrics
