#include "relay/message/path_key.h"

#include <functional>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

PathKey plain() {
    PathKey key;
    key.site.hosts = "mx.example";
    return key;
}

// Each changes one part.
std::vector<PathKey> variants() {
    const std::vector<std::function<void(PathKey&)>> changes{
        [](PathKey& key) { key.source = SourceId{1}; },
        [](PathKey& key) { key.site.routed = true; },
        [](PathKey& key) { key.site.hosts = "mx2.example"; },
        [](PathKey& key) { key.site.table = "a.example"; },
        [](PathKey& key) { key.site.route = "a.example"; },
        [](PathKey& key) { key.tls.request = TlsRequest::waived; },
        [](PathKey& key) { key.tls.request = TlsRequest::required; },
        [](PathKey& key) { key.tls.authenticated = true; },
        [](PathKey& key) { key.tls.sts = true; },
        [](PathKey& key) { key.tls.bound = "a.example"; },
        [](PathKey& key) { key.tls.allowed = "a.example"; },
    };
    std::vector<PathKey> keys{plain()};
    for (const auto& change : changes) {
        keys.push_back(plain());
        change(keys.back());
    }
    return keys;
}

TEST(PathKey, every_part_tells_paths_apart) {
    const std::vector<PathKey> keys = variants();
    std::set<std::size_t> hashes;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        for (std::size_t j = 0; j < keys.size(); ++j)
            EXPECT_EQ(keys[i] == keys[j], i == j) << i << " and " << j;
        hashes.insert(PathKeyHash{}(keys[i]));
    }
    EXPECT_EQ(hashes.size(), keys.size());
}

TEST(PathKey, equal_keys_have_one_home_and_different_ones_spread) {
    std::vector<std::size_t> homes(4);
    for (int i = 0; i < 4000; ++i) {
        PathKey key = plain();
        key.site.hosts = "mx" + std::to_string(i) + ".example";
        const PathKey same = key;
        ASSERT_EQ(home_of(key, homes.size()), home_of(same, homes.size()));
        ++homes[home_of(key, homes.size())];
    }
    for (const std::size_t paths : homes)
        EXPECT_GT(paths, 800U);
}

}  // namespace
}  // namespace relay
