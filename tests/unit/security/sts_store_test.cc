#include "relay/security/sts_store.h"

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

TEST(StsStore, APolicyCountsUntilItsMaxAge) {
    StsStore store;
    EXPECT_EQ(store.find("a.example", kNow).policy, nullptr);
    store.keep("a.example", policy(hours{2}), "id1", kNow);
    EXPECT_EQ(store.find("a.example", kNow + hours{1}).id, "id1");
    EXPECT_NE(store.find("a.example", kNow + hours{2} - seconds{1}).policy, nullptr);
    EXPECT_EQ(store.find("a.example", kNow + hours{2}).policy, nullptr);
    EXPECT_EQ(store.find("b.example", kNow).policy, nullptr);
}

TEST(StsStore, AFailureTakesNothingFromThePolicy) {
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

TEST(StsStore, TheUnusedOnesGoFirst) {
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

TEST(StsStore, ItsTextIsReadBack) {
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

TEST(StsStore, ATextThatIsDamagedGivesWhatIsWhole) {
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

}  // namespace
}  // namespace relay
