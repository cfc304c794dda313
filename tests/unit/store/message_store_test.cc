#include "relay/store/message_store.h"

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/slices.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_world.h"

namespace relay {
namespace {

std::string content_of(int number) {
    return "Subject: " + std::to_string(number) + "\r\n\r\n" + std::string(5000, 'x') + "\r\n";
}

std::unique_ptr<Message> make(MessageStore& store, int number, std::size_t recipients = 1) {
    auto message = store.begin();
    message->content.append(content_of(number));
    message->content.seal();
    for (std::size_t i = 0; i < recipients; ++i) {
        message->recipients.push_back(
            std::make_unique<Recipient>(*message, "u" + std::to_string(i) + "@one.example"));
    }
    message->open_recipients = static_cast<std::uint32_t>(recipients);
    return message;
}

// ---- without a spool

class MemoryStoreTest : public testing::Test {
  public:
    ~MemoryStoreTest() override {
        while (Message* message = store_.any())
            store_.free(store_.take_out(*message));
        EXPECT_TRUE(world_.run(world_.shard(), store_.close()));
        EXPECT_EQ(store_.memory(), 0U);
        EXPECT_EQ(metrics_.content().value(), 0);
    }

  protected:
    sim::SimWorld world_{1};
    metrics::ShardMetrics metrics_;
    MessageStore store_{world_.shard(), metrics_, 100'000, nullptr};
};

TEST_F(MemoryStoreTest, a_message_begins_with_an_id_a_time_and_its_shard) {
    const auto first = store_.begin();
    const auto second = store_.begin();
    EXPECT_NE(first->id, second->id);
    EXPECT_EQ(first->created, world_.shard().wall());
    EXPECT_EQ(first->origin, world_.shard().id());
    EXPECT_EQ(store_.size(), 0U);
}

TEST_F(MemoryStoreTest, keeps_messages_oldest_first) {
    EXPECT_EQ(store_.any(), nullptr);
    EXPECT_EQ(store_.oldest(), core::WallTime{});
    Message& first = store_.add(make(store_, 1));
    const core::WallTime then = first.created;
    world_.run_for(std::chrono::seconds{5});
    Message& second = store_.add(make(store_, 2));
    EXPECT_EQ(store_.size(), 2U);
    EXPECT_EQ(store_.oldest(), then);
    store_.free(store_.take_out(first));
    EXPECT_EQ(store_.oldest(), second.created);
    EXPECT_EQ(store_.any(), &second);
    EXPECT_EQ(store_.size(), 1U);
}

TEST_F(MemoryStoreTest, counts_contents_and_recipients_against_the_limit) {
    EXPECT_TRUE(store_.has_room(100'000));
    EXPECT_FALSE(store_.has_room(100'001));
    store_.add(make(store_, 1, 10));
    const std::size_t one = store_.memory();
    EXPECT_GE(one, content_of(1).size() + 10 * sizeof(Recipient));
    EXPECT_EQ(metrics_.content().value(), static_cast<std::int64_t>(one));
    EXPECT_TRUE(store_.has_room(100'000 - one));
    EXPECT_FALSE(store_.has_room(100'001 - one));
}

TEST_F(MemoryStoreTest, without_a_spool_no_content_leaves) {
    std::vector<Message*> messages;
    for (int i = 0; i < 30; ++i) {
        messages.push_back(&store_.add(make(store_, i)));
        store_.deferred(*messages.back());
    }
    EXPECT_GT(store_.memory(), 100'000U);
    for (const Message* message : messages)
        EXPECT_FALSE(message->place.holders.evicted());
}

TEST_F(MemoryStoreTest, a_message_for_many_is_freed_in_slices) {
    store_.free(make(store_, 1, core::kSlice * 20));
    std::size_t turns = 0;
    EXPECT_TRUE(world_.run_until([&] { return ++turns > 10; }));
    EXPECT_TRUE(world_.run(world_.shard(), store_.close()));
    // Small ones at once, and so all once the store is closed.
    store_.free(make(store_, 2));
    store_.free(make(store_, 3, core::kSlice * 20));
}

// ---- with one

class SpooledStoreTest : public testing::Test, public MessageKeeper {
  public:
    SpooledStoreTest() : world_(1, options(disk_)) {
        place_ = *prepare_spool(disk_, "spool");
        space_ = std::make_unique<SpoolSpace>(disk_, "spool");
        spool_ = std::make_unique<Spool>(world_.shard(), disk_, *space_, metrics_,
                                         SpoolOptions{"spool", 1 << 20, place_.direct});
        PH_ASSERT(spool_->open().has_value());
        spool_->start(*this);
    }
    ~SpooledStoreTest() override {
        for (Message* message : messages_) {
            auto owned = store_->take_out(*message);
            EXPECT_NE(owned, nullptr);
            store_->free(std::move(owned));
        }
        EXPECT_TRUE(world_.run(world_.shard(), store_->close()));
        EXPECT_TRUE(world_.run(world_.shard(), spool_->close()));
        EXPECT_EQ(store_->memory(), 0U);
        store_.reset();
        spool_.reset();
        disk_.close(place_.lock);
    }

  protected:
    static sim::WorldOptions options(sim::SimDisk& disk) {
        sim::WorldOptions options;
        options.backend.disk = &disk;
        return options;
    }

    core::Task<bool> hold_content(Message& message) override { return store_->hold(message); }
    void let_content_go(Message& message) override { MessageStore::let_go(message); }
    void free_moved(Message&) override { ADD_FAILURE() << "nothing is moved"; }

    // Room for so many contents, and not for one more.
    void open_for(int contents) {
        MessageStore measure(world_.shard(), metrics_, 1'000'000, nullptr);
        Message& one = measure.add(make(measure, 0));
        const std::size_t each = measure.memory();
        measure.free(measure.take_out(one));
        const std::size_t full = each * static_cast<std::size_t>(contents) + each / 2;
        store_ =
            std::make_unique<MessageStore>(world_.shard(), metrics_, full * 100 / 75, spool_.get());
    }
    static core::Task<void> commit_into(Spool* spool, MessageStore* store, int number,
                                        Message** out) {
        auto message = make(*store, number);
        PH_ASSERT(co_await spool->commit(*message));
        *out = &store->add(std::move(message));
    }
    Message& commit(int number) {
        Message* message = nullptr;
        EXPECT_TRUE(
            world_.run(world_.shard(), commit_into(spool_.get(), store_.get(), number, &message)));
        messages_.push_back(message);
        return *message;
    }
    static core::Task<void> hold_into(MessageStore* store, Message* message, int* held) {
        *held = co_await store->hold(*message) ? 1 : 0;
    }
    bool hold(Message& message) {
        int held = -1;
        EXPECT_TRUE(world_.run(world_.shard(), hold_into(store_.get(), &message, &held)));
        return held == 1;
    }
    static bool in_memory(const Message& message) { return !message.place.holders.evicted(); }
    std::uint64_t read_back() { return metrics_.spool().contents_read_back.value(); }

    sim::SimDisk disk_{1};
    sim::SimWorld world_;
    metrics::ShardMetrics metrics_;
    SpoolPlaceOnDisk place_;
    std::unique_ptr<SpoolSpace> space_;
    std::unique_ptr<Spool> spool_;
    std::unique_ptr<MessageStore> store_;
    std::vector<Message*> messages_;
};

TEST_F(SpooledStoreTest, the_newest_content_leaves_when_there_is_no_room) {
    open_for(3);
    const std::vector<Message*> all{&commit(1), &commit(2), &commit(3), &commit(4)};
    EXPECT_TRUE(in_memory(*all[0]) && in_memory(*all[1]) && in_memory(*all[2]));
    EXPECT_FALSE(in_memory(*all[3]));
    EXPECT_EQ(metrics_.spool().contents_evicted.value(), 1U);
    EXPECT_EQ(store_->size(), 4U);
}

TEST_F(SpooledStoreTest, contents_of_deferred_messages_leave_first) {
    open_for(3);
    Message& first = commit(1);
    Message& second = commit(2);
    Message& third = commit(3);
    store_->deferred(second);
    Message& fourth = commit(4);
    EXPECT_FALSE(in_memory(second));
    EXPECT_TRUE(in_memory(first) && in_memory(third) && in_memory(fourth));
}

TEST_F(SpooledStoreTest, a_content_that_is_held_stays) {
    open_for(2);
    Message& held = commit(1);
    store_->deferred(held);
    ASSERT_TRUE(hold(held));
    commit(2);
    Message& newest = commit(3);
    EXPECT_TRUE(in_memory(held));
    EXPECT_FALSE(in_memory(newest));
    MessageStore::let_go(held);
}

TEST_F(SpooledStoreTest, hold_brings_a_content_back_as_it_was) {
    open_for(1);
    Message& first = commit(1);
    Message& second = commit(2);
    ASSERT_FALSE(in_memory(second));
    ASSERT_TRUE(hold(second));
    EXPECT_TRUE(in_memory(second));
    EXPECT_FALSE(in_memory(first));  // gives way
    EXPECT_EQ(second.size(), content_of(2).size());
    EXPECT_EQ(read_back(), 1U);
    MessageStore::let_go(second);
}

TEST_F(SpooledStoreTest, many_who_want_one_content_read_it_once) {
    open_for(1);
    commit(1);
    Message& wanted = commit(2);
    ASSERT_FALSE(in_memory(wanted));
    std::vector<int> held(10, -1);
    for (int& one : held)
        world_.spawn(world_.shard(), hold_into(store_.get(), &wanted, &one));
    EXPECT_TRUE(world_.run_until([this] { return world_.running_tasks() == 0; }));
    EXPECT_EQ(held, std::vector<int>(10, 1));
    EXPECT_EQ(read_back(), 1U);
    for (std::size_t i = 0; i < held.size(); ++i)
        MessageStore::let_go(wanted);
}

TEST_F(SpooledStoreTest, a_content_that_cannot_be_read_is_not_held) {
    open_for(1);
    commit(1);
    Message& wanted = commit(2);
    disk_.set_faults([](const sim::DiskRequest& request) {
        return sim::DiskVerdict{.error = request.action == sim::DiskAction::read ? EIO : 0};
    });
    std::vector<int> held(3, -1);
    for (int& one : held)
        world_.spawn(world_.shard(), hold_into(store_.get(), &wanted, &one));
    EXPECT_TRUE(world_.run_until([this] { return world_.running_tasks() == 0; }));
    EXPECT_EQ(held, std::vector<int>(3, 0));
    disk_.set_faults({});
    ASSERT_TRUE(hold(wanted));  // the disk is well again
    MessageStore::let_go(wanted);
}

}  // namespace
}  // namespace relay
