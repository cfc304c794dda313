// The catalogue of metrics: every name, help text, type and label of what GET /metrics answers, and
// the words that labels may have, in this one place. Names follow Prometheus' conventions (one
// prefix, base units, _total for counters); label values come from closed sets, so the number of
// series is bounded whatever mail passes. docs/metrics.md is checked against it by a test. Pure,
// constant.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "metrics/shard_metrics.h"

namespace metrics {

enum class Kind : std::uint8_t { counter, gauge, histogram };

struct Metric {
    std::string_view name;
    Kind kind;
    std::string_view help;
    std::array<std::string_view, 3> labels{};  // empty: none
};

// clang-format off
inline constexpr Metric kMessagesReceived{"posthaste_messages_received_total", Kind::counter,
    "Messages accepted for delivery.", {"protocol", "tenant"}};
inline constexpr Metric kMessagesRejected{"posthaste_messages_rejected_total", Kind::counter,
    "Messages, recipients and connections refused at injection.", {"protocol", "reason"}};
inline constexpr Metric kSessions{"posthaste_sessions_total", Kind::counter,
    "Connections accepted for injection.", {"protocol"}};
inline constexpr Metric kSessionsOpen{"posthaste_sessions_open", Kind::gauge,
    "Connections for injection open now.", {"protocol"}};
inline constexpr Metric kDeliveries{"posthaste_deliveries_total", Kind::counter,
    "Outcomes of delivery attempts, one per recipient and attempt.", {"provider", "outcome"}};
inline constexpr Metric kTenantMessages{"posthaste_tenant_messages_total", Kind::counter,
    "Outcomes of delivery attempts, one per recipient and attempt, by tenant.",
    {"tenant", "outcome"}};
inline constexpr Metric kDeliverySeconds{"posthaste_delivery_seconds", Kind::histogram,
    "Time from acceptance to the final outcome of a recipient."};
inline constexpr Metric kConnectionsOpen{"posthaste_connections_open", Kind::gauge,
    "Connections for delivery open now.", {"provider"}};
inline constexpr Metric kConnections{"posthaste_connections_total", Kind::counter,
    "Attempts to open a connection for delivery, by result.", {"provider", "result"}};
inline constexpr Metric kPathWindow{"posthaste_path_window", Kind::gauge,
    "Connections that the paths in use may have, as learned from receivers.", {"provider"}};
inline constexpr Metric kTlsSessions{"posthaste_tls_sessions_total", Kind::counter,
    "What became of the encryption of connections for delivery.", {"provider", "policy", "result"}};
inline constexpr Metric kQueueRecipients{"posthaste_queue_recipients", Kind::gauge,
    "Recipients queued now, by state.", {"state"}};
inline constexpr Metric kQueueOldest{"posthaste_queue_oldest_seconds", Kind::gauge,
    "Age of the oldest message that is queued; 0 when none is."};
inline constexpr Metric kSuspendedRecipients{"posthaste_suspended_recipients", Kind::gauge,
    "Recipients, of those that are scheduled, that wait for the end of a suspension."};
inline constexpr Metric kSuspensions{"posthaste_suspensions", Kind::gauge,
    "Suspensions and bounces in force, of operators and of automation.", {"kind"}};
inline constexpr Metric kContentBytes{"posthaste_content_bytes", Kind::gauge,
    "Memory held by the content of queued messages."};
inline constexpr Metric kMemoryLimitBytes{"posthaste_memory_limit_bytes", Kind::gauge,
    "What memory.limit comes to on this machine."};
inline constexpr Metric kCommitSeconds{"posthaste_commit_seconds", Kind::histogram,
    "Time that a message waited for its commit to the spool."};
inline constexpr Metric kSpoolBytes{"posthaste_spool_bytes", Kind::gauge,
    "Disk taken by the files of the spool."};
inline constexpr Metric kSpoolFreeBytes{"posthaste_spool_free_bytes", Kind::gauge,
    "Disk left on the file system of the spool."};
inline constexpr Metric kSpoolState{"posthaste_spool_state", Kind::gauge,
    "1 for the state that the spool is in.", {"state"}};
inline constexpr Metric kSpoolBatches{"posthaste_spool_batches_total", Kind::counter,
    "Batches written to the spool, one synced write each."};
inline constexpr Metric kSpoolWritten{"posthaste_spool_written_bytes_total", Kind::counter,
    "Octets written to the spool."};
inline constexpr Metric kSpoolMoved{"posthaste_spool_moved_bytes_total", Kind::counter,
    "Octets of messages that compaction copied forward."};
inline constexpr Metric kSpoolOutcomes{"posthaste_spool_outcomes_total", Kind::counter,
    "Outcomes written to the spool."};
inline constexpr Metric kSpoolOutcomesDropped{"posthaste_spool_outcomes_dropped_total",
    Kind::counter, "Outcomes that could not be written; a restart would repeat their deliveries."};
inline constexpr Metric kSpoolRecovered{"posthaste_spool_recovered_recipients_total",
    Kind::counter, "Recipients found in the spool at the start."};
inline constexpr Metric kSpoolDamaged{"posthaste_spool_damaged_records_total", Kind::counter,
    "Places found damaged in the spool at the start: records, segments, chains, strangers."};
inline constexpr Metric kSpoolHeld{"posthaste_spool_held_messages", Kind::gauge,
    "Messages held back in the spool, since the process died with them in hand.", {"reason"}};
inline constexpr Metric kSpoolUnnoted{"posthaste_spool_unnoted_total", Kind::counter,
    "Messages sent without a note that they are in hand, as the table was full."};
inline constexpr Metric kContentsEvicted{"posthaste_contents_evicted_total", Kind::counter,
    "Contents that left memory because of memory.limit."};
inline constexpr Metric kContentsReadBack{"posthaste_contents_read_back_total", Kind::counter,
    "Contents read back from the spool for delivery."};
inline constexpr Metric kThrottled{"posthaste_throttled_total", Kind::counter,
    "Times that a limit of shaping held back mail that was ready.", {"reason"}};
inline constexpr Metric kAutomation{"posthaste_automation_actions_total", Kind::counter,
    "Actions that rules of automation began or prolonged.", {"action"}};
inline constexpr Metric kAmbiguousEod{"posthaste_ambiguous_eod_total", Kind::counter,
    "Messages whose end of data got no reply: sent again, so they may arrive twice."};
inline constexpr Metric kReports{"posthaste_reports_total", Kind::counter,
    "Delivery status notifications sent to senders."};
inline constexpr Metric kTlsReports{"posthaste_tls_reports_total", Kind::counter,
    "Reports about TLS, by what became of them.", {"result"}};
inline constexpr Metric kDnsLookups{"posthaste_dns_lookups_total", Kind::counter,
    "Questions sent to DNS servers.", {"type", "result"}};
inline constexpr Metric kDnsCache{"posthaste_dns_cache_total", Kind::counter,
    "Questions put to the DNS cache.", {"result"}};
inline constexpr Metric kDnsCacheEntries{"posthaste_dns_cache_entries", Kind::gauge,
    "Answers in the DNS cache."};
inline constexpr Metric kEventsWritten{"posthaste_events_written_total", Kind::counter,
    "Event records written to the event log."};
inline constexpr Metric kEventsDropped{"posthaste_events_dropped_total", Kind::counter,
    "Event records lost because the disk was too slow or refused them."};
inline constexpr Metric kLoopTurns{"posthaste_loop_turns_total", Kind::counter,
    "Turns of the shard's loop.", {"shard"}};
inline constexpr Metric kLoopTurnSeconds{"posthaste_loop_turn_seconds", Kind::histogram,
    "Length of the turns of the shard's loop.", {"shard"}};
inline constexpr Metric kLetters{"posthaste_shard_letters_total", Kind::counter,
    "Letters that the shard sent to other shards.", {"shard"}};
inline constexpr Metric kTransactions{"posthaste_shard_transactions_total", Kind::counter,
    "Transactions with servers that the shard began: how even the shards carry.", {"shard"}};
inline constexpr Metric kIoEnters{"posthaste_io_enters_total", Kind::counter,
    "System calls of the shard's loop: io_uring_enter, or with epoll every call for a socket.",
    {"shard"}};
inline constexpr Metric kIoSubmitted{"posthaste_io_submitted_total", Kind::counter,
    "Operations submitted to the kernel.", {"shard"}};
inline constexpr Metric kIoCompleted{"posthaste_io_completed_total", Kind::counter,
    "Completions reaped from the kernel.", {"shard"}};
inline constexpr Metric kIoSends{"posthaste_io_sends_total", Kind::counter,
    "Send operations.", {"shard"}};
inline constexpr Metric kIoReceives{"posthaste_io_receives_total", Kind::counter,
    "Filled receive buffers.", {"shard"}};
inline constexpr Metric kIoBuffersExhausted{"posthaste_io_buffers_exhausted_total", Kind::counter,
    "Receives that ended for want of a provided buffer.", {"shard"}};
inline constexpr Metric kIoCopied{"posthaste_io_copied_bytes_total", Kind::counter,
    "Octets copied out of receive buffers because those were scarce.", {"shard"}};
inline constexpr Metric kIoHeldInput{"posthaste_io_held_input_bytes", Kind::gauge,
    "Octets received and copied that no reader has taken yet.", {"shard"}};
inline constexpr Metric kIoOverflows{"posthaste_io_overflows_total", Kind::counter,
    "Turns that found the completion queue overflowed.", {"shard"}};
inline constexpr Metric kShardBusyRatio{"posthaste_shard_busy_ratio", Kind::gauge,
    "Share of its time that the shard spent working, lately; 1 is a full core.", {"shard"}};
inline constexpr Metric kShardBusySeconds{"posthaste_shard_busy_seconds_total", Kind::counter,
    "Time that the shard spent working.", {"shard"}};
inline constexpr Metric kLongestTurn{"posthaste_loop_longest_turn_seconds", Kind::gauge,
    "Longest turn of the shard's loop since the start.", {"shard"}};
inline constexpr Metric kIoBackendInfo{"posthaste_io_backend_info", Kind::gauge,
    "The I/O backend in use and why; always 1.", {"backend", "reason"}};
inline constexpr Metric kBuildInfo{"posthaste_build_info", Kind::gauge,
    "The version of this program; always 1.", {"version"}};
inline constexpr Metric kProcessCpu{"process_cpu_seconds_total", Kind::counter,
    "User and system CPU time of the process."};
inline constexpr Metric kProcessResident{"process_resident_memory_bytes", Kind::gauge,
    "Resident memory of the process."};
inline constexpr Metric kProcessVirtual{"process_virtual_memory_bytes", Kind::gauge,
    "Virtual memory of the process."};
inline constexpr Metric kProcessOpenFds{"process_open_fds", Kind::gauge,
    "Open file descriptors of the process."};
inline constexpr Metric kProcessMaxFds{"process_max_fds", Kind::gauge,
    "Most file descriptors that the process may open."};
inline constexpr Metric kProcessStart{"process_start_time_seconds", Kind::gauge,
    "When the process started, in seconds since 1970."};

// In the order of the answer.
inline constexpr std::array kCatalogue{
    &kMessagesReceived, &kMessagesRejected, &kSessions, &kSessionsOpen, &kDeliveries,
    &kTenantMessages,
    &kDeliverySeconds, &kConnectionsOpen, &kConnections, &kPathWindow, &kTlsSessions,
    &kQueueRecipients, &kQueueOldest, &kSuspendedRecipients, &kSuspensions, &kContentBytes,
    &kMemoryLimitBytes, &kCommitSeconds,
    &kSpoolBytes, &kSpoolFreeBytes, &kSpoolState, &kSpoolBatches, &kSpoolWritten, &kSpoolMoved,
    &kSpoolOutcomes, &kSpoolOutcomesDropped, &kSpoolRecovered, &kSpoolDamaged, &kSpoolHeld,
    &kSpoolUnnoted,
    &kContentsEvicted, &kContentsReadBack,
    &kThrottled, &kAutomation, &kAmbiguousEod, &kReports, &kTlsReports, &kDnsLookups, &kDnsCache,
    &kDnsCacheEntries,
    &kEventsWritten, &kEventsDropped, &kLoopTurns, &kLoopTurnSeconds, &kLetters, &kTransactions,
    &kIoEnters,
    &kIoSubmitted, &kIoCompleted, &kIoSends, &kIoReceives, &kIoBuffersExhausted, &kIoCopied,
    &kIoHeldInput, &kIoOverflows, &kShardBusyRatio, &kShardBusySeconds, &kLongestTurn,
    &kIoBackendInfo,
    &kBuildInfo, &kProcessCpu,
    &kProcessResident, &kProcessVirtual, &kProcessOpenFds, &kProcessMaxFds, &kProcessStart};

// Words of labels, by the number of the enumeration.
inline constexpr std::array<std::string_view, kProtocols> kProtocolWords{"smtp", "http"};
inline constexpr std::array<std::string_view, kOrderKinds> kOrderKindWords{
    "suspend", "suspend-path", "bounce"};
inline constexpr std::array<std::string_view, kRejections> kRejectionWords{
    "relay_denied", "address", "size", "recipients", "content", "malformed", "memory_full",
    "draining", "connections", "timeout", "spool_full", "spool_failed"};
inline constexpr std::array<std::string_view, kOutcomes> kOutcomeWords{
    "delivered", "deferred", "bounced", "expired"};
inline constexpr std::array<std::string_view, kConnects> kConnectWords{
    "ready", "refused", "timeout", "unreachable", "greeting", "broken"};
inline constexpr std::array<std::string_view, kTlsPolicies> kTlsPolicyWords{
    "opportunistic", "encrypt", "verify", "implicit", "dane", "sts"};
inline constexpr std::array<std::string_view, kTlsResults> kTlsResultWords{
    "verified", "unverified", "failed", "untrusted", "refused", "not_offered", "stripped",
    "avoided"};
inline constexpr std::array<std::string_view, kTlsReportResults> kTlsReportWords{
    "mailed", "posted", "failed", "given_up"};
inline constexpr std::array<std::string_view, kQueues> kQueueWords{
    "scheduled", "ready", "in_flight"};
inline constexpr std::array<std::string_view, 4> kSpoolStateWords{
    "off", "ready", "full", "failed"};
inline constexpr std::array<std::string_view, 2> kHeldWords{"suspect", "set_aside"};
inline constexpr std::array<std::string_view, kThrottles> kThrottleWords{
    "message_rate", "connection_rate", "connection_limit", "provider_message_rate",
    "provider_connection_limit", "tenant_message_rate"};
inline constexpr std::array<std::string_view, kAutomationActions> kAutomationWords{
    "suspend", "suspend_tenant", "suspend_campaign", "set_config", "set_domain_config",
    "bounce", "bounce_tenant", "bounce_campaign", "reduce"};
inline constexpr std::array<std::string_view, kDnsTypes> kDnsTypeWords{
    "a", "aaaa", "mx", "txt", "tlsa", "other"};
inline constexpr std::array<std::string_view, kDnsResults> kDnsResultWords{
    "found", "no_data", "no_domain", "failed", "timeout"};
inline constexpr std::string_view kOnlyTenant = "default";  // of what is counted for all
// clang-format on

}  // namespace metrics
