// DomainTable, as Router uses it for a message whose domain is known or new: what a message costs
// by the number of domains that mail goes to in turn. Up to kMaxIdle of them are remembered, and
// each is found again; beyond, each is new and the one unused for longest is given up. No DNS.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include <benchmark/benchmark.h>

#include "relay/routing/domain_key.h"
#include "relay/routing/domain_table.h"

namespace {

void route(relay::DomainTable& table, std::string_view domain) {
    const relay::PlainDomain plain(domain);
    relay::Domain& found = table.find_or_add(*plain.name());
    table.rest(found);
    relay::Domain* const surplus = table.surplus();
    if (surplus != nullptr && surplus != &found) table.forget(*surplus);
}

// Every domain once before one comes again, in an order that no cache knows.
class Domains {
  public:
    explicit Domains(std::uint64_t count) : count_(count) {}
    std::string_view next() {
        at_ = (at_ + kStep) % count_;
        const int length = std::snprintf(text_, sizeof text_, "mail%010llu.example",
                                         static_cast<unsigned long long>(at_));
        return {text_, static_cast<std::size_t>(length)};
    }

  private:
    static constexpr std::uint64_t kStep = 7'368'787;  // a prime: no divisor of a power of ten
    const std::uint64_t count_;
    std::uint64_t at_ = 0;
    char text_[64];
};

void MessagesToDomainsInTurn(benchmark::State& state) {
    const auto count = static_cast<std::uint64_t>(state.range(0));
    relay::DomainTable table;
    Domains domains(count);
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, 1'000'000); ++i)
        route(table, domains.next());
    for (auto _ : state)
        route(table, domains.next());
    state.counters["remembered"] = static_cast<double>(table.size());
    state.counters["octets"] = static_cast<double>(table.memory());
    while (relay::Domain* const oldest = table.oldest())
        table.forget(*oldest);
}
BENCHMARK(MessagesToDomainsInTurn)
    ->Arg(1)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Arg(10'000'000);

// What the domain's name costs to write, which is none of the relay's: to be taken off the above.
void NameAlone(benchmark::State& state) {
    Domains domains(10'000'000);
    for (auto _ : state)
        benchmark::DoNotOptimize(domains.next());
}
BENCHMARK(NameAlone);

}  // namespace
