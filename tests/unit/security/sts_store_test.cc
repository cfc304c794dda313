#include "relay/security/sts_store.h"

#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const core::WallTime kNow{seconds{1'800'000'000}};

std::shared_ptr<const StsPolicy> policy(std::chrono::seconds max_age,
                                        std::string mx = "mx.example") {
    return std::make_shared<const StsPolicy>(
        StsPolicy{StsMode::enforce, max_age, {std::move(mx), "*.example.net"}});
}

TEST(StsStore, a_policy_counts_until_its_max_age) {
    StsStore store;
    EXPECT_EQ(store.find("a.example", kNow).policy, nullptr);
    store.keep("a.example", policy(hours{2}), "id1", kNow);
    EXPECT_EQ(store.find("a.example", kNow + hours{1}).id, "id1");
    EXPECT_NE(store.find("a.example", kNow + hours{2} - seconds{1}).policy, nullptr);
    EXPECT_EQ(store.find("a.example", kNow + hours{2}).policy, nullptr);
    EXPECT_EQ(store.find("b.example", kNow).policy, nullptr);
}

TEST(StsStore, a_failure_takes_nothing_from_the_policy) {
    StsStore store;
    store.keep("a.example", policy(hours{2}), "id1", kNow);
    store.note_failure("a.example", "id2", TlsFailureType::sts_webpki_invalid, kNow + seconds{300});
    const StsKnown known = store.find("a.example", kNow);
    EXPECT_NE(known.policy, nullptr);
    EXPECT_EQ(known.failed_id, "id2");
    EXPECT_EQ(known.retry_at, kNow + seconds{300});
    store.keep("a.example", policy(hours{2}), "id2", kNow);
    EXPECT_EQ(store.find("a.example", kNow).failed_id, "");
}

TEST(StsStore, the_unused_ones_go_first) {
    StsStore store(64 << 10);
    for (int i = 0; i < 1000; ++i) {
        store.keep("d" + std::to_string(i) + ".example", policy(hours{2}), "id", kNow);
        store.find("d0.example", kNow);
    }
    EXPECT_LT(store.size(), 300U);
    EXPECT_GT(store.size(), 50U);
    EXPECT_NE(store.find("d0.example", kNow).policy, nullptr);
    EXPECT_NE(store.find("d999.example", kNow).policy, nullptr);
    EXPECT_EQ(store.find("d1.example", kNow).policy, nullptr);
    for (int i = 0; i < 1000; ++i)  // failures are bounded likewise
        store.note_failure("f" + std::to_string(i) + ".example", "id",
                           TlsFailureType::sts_policy_fetch_error, kNow);
    EXPECT_LT(store.size(), 400U);
}

TEST(StsStore, its_text_is_read_back) {
    StsStore store;
    store.keep("a.example", policy(hours{2}), "id1", kNow);
    store.keep("b.example", policy(hours{1}), "id2", kNow);
    store.note_failure("c.example", "id", TlsFailureType::sts_policy_invalid, kNow);
    const std::string text = store.text(kNow + seconds{1});
    StsStore again;
    EXPECT_EQ(again.read(text, kNow + seconds{2}), 2U);
    EXPECT_EQ(again.text(kNow + seconds{2}), text);
    const StsKnown known = again.find("a.example", kNow + seconds{2});
    ASSERT_NE(known.policy, nullptr);
    EXPECT_EQ(*known.policy, *policy(hours{2}));
    EXPECT_EQ(known.id, "id1");
    EXPECT_EQ(known.fetched, kNow);
    StsStore later;  // what is too old by then is not read
    EXPECT_EQ(later.read(text, kNow + hours{1}), 1U);
}

TEST(StsStore, a_text_that_is_damaged_gives_what_is_whole) {
    StsStore store;
    store.keep("a.example", policy(hours{2}), "id1", kNow);
    store.keep("b.example", policy(hours{2}), "id2", kNow);
    const std::string text = store.text(kNow);
    for (std::size_t length = 0; length < text.size(); ++length) {
        StsStore cut;
        EXPECT_LE(cut.read(text.substr(0, length), kNow), 1U);
    }
    StsStore other;
    EXPECT_EQ(other.read("somebody else's\n" + text, kNow), 0U);
    EXPECT_EQ(other.read("posthaste mta-sts 1\na.example id x y\n  \n", kNow), 0U);
    // A time that has not come would make it last.
    EXPECT_EQ(other.read(text, kNow - hours{1}), 0U);
}

// The file of all policies is no work for one step of a loop.
TEST(StsStore, its_text_is_written_in_steps) {
    StsStore store;
    constexpr int kMany = 100'000;
    for (int i = 0; i < kMany; ++i)
        store.keep("d" + std::to_string(i) + ".example", policy(hours{2}), "id1", kNow);
    const std::string whole = store.text(kNow);
    std::string text;
    store.begin_text(text);
    std::size_t steps = 1;
    std::size_t longest = 0;
    for (bool more = true; more; ++steps) {
        const std::size_t before = text.size();
        more = store.add_text(text, kNow, 256);
        longest = std::max(longest, text.size() - before);
    }
    EXPECT_EQ(text, whole);
    EXPECT_GT(store.size(), 80'000U);
    EXPECT_GE(steps, store.size() / 256);
    EXPECT_LE(longest, 256U * 200U);
}

TEST(StsStore, its_text_holds_what_is_used_and_changed_meanwhile) {
    StsStore store;
    const auto name = [](int i) { return "d" + std::to_string(i) + ".example"; };
    for (int i = 0; i < 100; ++i)
        store.keep(name(i), policy(hours{2}), "id1", kNow);
    std::string text;
    store.begin_text(text);
    int used = 0;
    while (store.add_text(text, kNow, 3)) {
        store.find(name(used % 100), kNow);         // one that stands there already
        store.find(name((used + 50) % 100), kNow);  // one that comes later, or next
        if (used == 10) store.keep(name(2), policy(hours{1}), "id2", kNow);
        if (used == 20) store.keep("new.example", policy(hours{1}), "id3", kNow);
        ++used;
    }
    StsStore again;
    EXPECT_EQ(again.read(text, kNow), 101U);
    EXPECT_EQ(again.find(name(2), kNow).id, "id2");
    EXPECT_EQ(again.find("new.example", kNow).id, "id3");
    for (int i = 3; i < 100; ++i)
        EXPECT_EQ(again.find(name(i), kNow).id, "id1") << i;
}

TEST(StsStore, its_text_goes_on_when_policies_are_forgotten_meanwhile) {
    StsStore store(64 << 10);
    for (int i = 0; i < 1000; ++i)
        store.keep("d" + std::to_string(i) + ".example", policy(hours{2}), "id", kNow);
    std::string text;
    store.begin_text(text);
    EXPECT_TRUE(store.add_text(text, kNow, 1));
    for (int i = 0; i < 1000; ++i)  // all that were there
        store.keep("e" + std::to_string(i) + ".example", policy(hours{2}), "id", kNow);
    while (store.add_text(text, kNow, 7))
        continue;
    StsStore again;
    again.read(text, kNow);
    EXPECT_NE(again.find("e999.example", kNow).policy, nullptr);
    EXPECT_EQ(again.size(), store.size() + 1);
}

}  // namespace
}  // namespace relay
