#include "bench/load/source_totals.h"

#include <fmt/format.h>

namespace bench {

void SourceTotals::merge(const SourceTotals& other) {
    accepted += other.accepted;
    accepted_recipients += other.accepted_recipients;
    rejected += other.rejected;
    rejected_recipients += other.rejected_recipients;
    unknown += other.unknown;
    unsent += other.unsent;
    connections += other.connections;
    octets += other.octets;
    for (const auto& [code, count] : other.refusals)
        refusals[code] += count;
    for (const auto& [error, count] : other.errors)
        errors[error] += count;
    latency.merge(other.latency);
}

std::string SourceTotals::to_json(std::uint64_t messages, double seconds) const {
    std::string codes;
    for (const auto& [code, count] : refusals) {
        codes += fmt::format("{}\"{}\": {}", codes.empty() ? "" : ", ", code, count);
    }
    std::string failures;
    for (const auto& [error, count] : errors) {
        failures += fmt::format("{}\"{}\": {}", failures.empty() ? "" : ", ", error, count);
    }
    return fmt::format(
        "{{\"messages\": {}, \"accepted\": {}, \"accepted_recipients\": {}, \"rejected\": {}, "
        "\"rejected_recipients\": {}, \"unknown\": {}, \"unsent\": {}, \"connections\": {}, "
        "\"octets\": {}, \"seconds\": {:.6f}, \"rate\": {:.1f}, "
        "\"latency_ms\": {{\"p50\": {:.3f}, \"p90\": {:.3f}, \"p99\": {:.3f}, \"p999\": {:.3f}, "
        "\"max\": {:.3f}}}, \"refusals\": {{{}}}, \"errors\": {{{}}}}}",
        messages, accepted, accepted_recipients, rejected, rejected_recipients, unknown, unsent,
        connections, octets, seconds, seconds > 0 ? static_cast<double>(accepted) / seconds : 0.0,
        latency.milliseconds(0.5), latency.milliseconds(0.9), latency.milliseconds(0.99),
        latency.milliseconds(0.999), latency.milliseconds(1), codes, failures);
}

}  // namespace bench
