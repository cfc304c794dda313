#include "relay/delivery/tls_memory.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

const core::Instant kStart{std::chrono::hours{1}};

using Fault = TlsMemory::Fault;
using std::chrono::minutes;
using std::chrono::seconds;

// C4: remembered for minutes, tried again by one, longer when it repeats.
TEST(TlsMemory, avoids_a_host_for_minutes_and_longer_when_it_fails_again) {
    TlsMemory memory;
    core::Instant now = kStart;
    EXPECT_FALSE(memory.avoids("mx:25", now));
    for (const int span : {5, 10, 20, 40, 40}) {
        EXPECT_EQ(memory.note_broken("mx:25", Fault::shown, now), minutes{span});
        EXPECT_TRUE(memory.is_avoided("mx:25", now));
        EXPECT_TRUE(memory.avoids("mx:25", now + minutes{span} - seconds{1}));
        EXPECT_FALSE(memory.avoids("mx:587", now));
        now += minutes{span};
        EXPECT_FALSE(memory.avoids("mx:25", now));
        EXPECT_TRUE(memory.avoids("mx:25", now));
    }
    EXPECT_TRUE(memory.note_works("mx:25", now));
    EXPECT_FALSE(memory.avoids("mx:25", now));
}

TEST(TlsMemory, a_lost_connection_is_no_evidence_where_tls_works) {
    TlsMemory memory;
    memory.note_works("mx:25", kStart);
    core::Instant now = kStart + minutes{1};
    for (int i = 0; i < 40; ++i) {  // a restart of several minutes is one fact
        EXPECT_EQ(memory.note_broken("mx:25", Fault::lost, now + seconds{7 * i}), core::Duration{});
        EXPECT_EQ(memory.note_broken("mx:25", Fault::fruitless, now), core::Duration{});
    }
    EXPECT_FALSE(memory.is_avoided("mx:25", now));
    now += TlsMemory::kApart;
    EXPECT_EQ(memory.note_broken("mx:25", Fault::lost, now), core::Duration{});
    now += TlsMemory::kApart;
    EXPECT_EQ(memory.note_broken("mx:25", Fault::lost, now), Belief::kFirst);
    // Where it never worked, one is enough to go on without; what is lost later needs more.
    EXPECT_EQ(memory.note_broken("new:25", Fault::lost, now), Belief::kFirst);
    EXPECT_EQ(memory.note_broken("other:25", Fault::fruitless, now), core::Duration{});
    now += TlsMemory::kApart;
    EXPECT_EQ(memory.note_broken("other:25", Fault::fruitless, now), core::Duration{});
    now += TlsMemory::kApart;
    EXPECT_EQ(memory.note_broken("other:25", Fault::fruitless, now), Belief::kFirst);
}

TEST(TlsMemory, remembers_who_offered_tls) {
    TlsMemory memory;
    memory.note_broken("mx:25", TlsMemory::Fault::shown, kStart);
    EXPECT_FALSE(memory.offered_before("mx:25"));
    memory.note_offered("mx:25");
    EXPECT_TRUE(memory.offered_before("mx:25"));
    EXPECT_TRUE(memory.avoids("mx:25", kStart));
    EXPECT_EQ(memory.size(), 1U);
}

TEST(TlsMemory, forgets_what_was_longest_untouched) {
    TlsMemory memory;
    memory.note_offered("first");
    memory.note_offered("second");
    for (std::size_t i = 2; i < TlsMemory::kMostHosts; ++i)
        memory.note_offered(std::to_string(i));
    memory.note_broken("first", TlsMemory::Fault::shown, kStart);
    memory.note_offered("one more");
    EXPECT_EQ(memory.size(), TlsMemory::kMostHosts);
    EXPECT_TRUE(memory.offered_before("first"));
    EXPECT_FALSE(memory.offered_before("second"));
}

}  // namespace
}  // namespace relay
