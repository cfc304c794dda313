#include "relay/routing/route_index.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

// The index finds what a search through all routes finds: the first that matches.
TEST(RouteIndex, finds_the_first_route_that_matches) {
    const std::vector<std::string> names{"example.com",
                                         "a.example.com",
                                         "b.a.example.com",
                                         "other.example",
                                         "com",
                                         "x.com",
                                         "example.com.",
                                         "aexample.com",
                                         "",
                                         "..",
                                         "*",
                                         "*.example.com",
                                         "deep.a.example.com"};
    const std::vector<std::string> domains{
        "example.com", "*.example.com", "*.a.example.com", "other.example",
        "*",           "*.com",         "example.com"};
    for (std::size_t skip = 0; skip < domains.size(); ++skip) {
        for (std::size_t turn = 0; turn < domains.size(); ++turn) {
            Config config = default_config();
            for (std::size_t i = 0; i < domains.size(); ++i) {
                if (i == skip) continue;
                RouteConfig route;
                route.domain = domains[(i + turn) % domains.size()];
                config.routes.push_back(route);
            }
            const RouteIndex index(config);
            for (const std::string& name : names) {
                if (name.starts_with('*')) continue;  // no domain
                EXPECT_EQ(index.route_for(name), config.route_for(name)) << name;
            }
        }
    }
    const Config none = default_config();
    EXPECT_EQ(RouteIndex(none).route_for("example.com"), nullptr);
}

}  // namespace
}  // namespace relay
