// QueryIds: the ids of the DNS queries of one channel: random, because a guessed id is what a
// forged answer needs (RFC 5452 section 9.2), and unique among the queries in flight, because
// c-ares finds a query by its id. An id is 16 bits and c-ares keeps its port for as long as it is
// busy, so the case of the letters in a UDP question is random too: servers copy the question, and
// who forges an answer has to guess that as well. One owner, one shard. Limit: the owner has far
// fewer than 65,536 queries in flight.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>

namespace dns {

class QueryIds {
  public:
    std::uint16_t take();
    void give_back(std::uint16_t id) { in_flight_.erase(id); }
    // Of a query that build_query() made.
    void mix_case(std::string& query);

  private:
    std::uint16_t draw();
    void refill();

    std::array<std::uint16_t, 128> pool_{};
    std::size_t used_ = pool_.size();
    std::unordered_set<std::uint16_t> in_flight_;
};

}  // namespace dns
