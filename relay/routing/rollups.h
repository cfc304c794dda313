// Rollups: which sites have the limits of a domain's table, because the table says mx_rollup = true
// and the domain's mail goes there. The Router looks such domains up once, after the start and
// after a reload, and notes what it learns with their own mail. Two tables for one site: the one
// first in order of the alphabet holds. Owned by the Router, on its shard. Pure. Limit: one site
// for each table.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/shaping/policy.h"

namespace relay {

class Rollups {
  public:
    // Forgets what was known; the policy's tables are to be looked up.
    void begin(const ShapingPolicy& policy);
    // A table whose domain is to be looked up next; none: all were.
    std::optional<std::string> next();
    // The mail of the table's domain goes to this site; empty: nobody knows where. True: other
    // domains may have to go by another table now.
    bool note(std::string_view table, std::string_view site);
    // Empty: no table holds for the site.
    std::string_view table_of(std::string_view site) const;

  private:
    void give_to_next(const std::string& site);

    std::vector<std::string> tables_;  // in order of the alphabet
    std::size_t looked_up_ = 0;
    std::map<std::string, std::string, std::less<>> sites_;  // by table
    std::map<std::string, std::string, std::less<>> table_of_;
};

}  // namespace relay
