#include "relay/egress/tls_memory.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

const core::Instant kStart{std::chrono::hours{1}};

TEST(TlsMemory, AvoidsAHostForThreeDays) {
    TlsMemory memory;
    EXPECT_FALSE(memory.avoids("mx:25", kStart));
    memory.note_broken("mx:25", kStart);
    EXPECT_TRUE(memory.avoids("mx:25", kStart + std::chrono::hours{71}));
    EXPECT_FALSE(memory.avoids("mx:25", kStart + std::chrono::hours{72}));
    EXPECT_FALSE(memory.avoids("mx:587", kStart));
}

TEST(TlsMemory, RemembersWhoOfferedTls) {
    TlsMemory memory;
    memory.note_broken("mx:25", kStart);
    EXPECT_FALSE(memory.offered_before("mx:25"));
    memory.note_offered("mx:25");
    EXPECT_TRUE(memory.offered_before("mx:25"));
    EXPECT_TRUE(memory.avoids("mx:25", kStart));
    EXPECT_EQ(memory.size(), 1U);
}

TEST(TlsMemory, ForgetsTheLongestUntouched) {
    TlsMemory memory;
    memory.note_offered("first");
    memory.note_offered("second");
    for (std::size_t i = 2; i < TlsMemory::kMostHosts; ++i)
        memory.note_offered(std::to_string(i));
    memory.note_broken("first", kStart);
    memory.note_offered("one more");
    EXPECT_EQ(memory.size(), TlsMemory::kMostHosts);
    EXPECT_TRUE(memory.offered_before("first"));
    EXPECT_FALSE(memory.offered_before("second"));
}

}  // namespace
}  // namespace relay
