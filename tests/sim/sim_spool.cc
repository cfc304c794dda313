#include "tests/sim/sim_spool.h"

#include <memory>
#include <vector>

#include "core/file/file.h"
#include "core/runtime/event.h"
#include "tests/sim/sim_world.h"

namespace sim {

namespace {

// Stands where the Origin stands.
class Reader final : public relay::MessageKeeper, public relay::RecoveredMail {
  public:
    Reader(core::Shard& shard, SimDisk& disk, relay::SpoolSpace& space,
           const relay::SpoolOptions& options)
        : shard_(shard), spool_(shard, disk, space, metrics_, options) {
        const auto opened = spool_.open();
        PH_ASSERT(opened.has_value());
        spool_.start(*this);
    }

    core::Task<void> run(core::Duration idle, SpoolState* state) {
        const relay::RecoveryReport report = co_await spool_.recover(*this);
        state->report.segments += report.segments;
        state->report.messages += report.messages;
        state->report.recipients += report.recipients;
        state->report.damaged += report.damaged;
        for (relay::Message* message : messages_) {
            const auto octets = co_await relay::Spool::read_content(*message);
            for (const auto& one : message->recipients) {
                SpooledRecipient recipient;
                recipient.attempts = one->attempts;
                recipient.next_attempt = one->next_attempt;
                if (one->last_reply != nullptr) recipient.reply = one->last_reply->reply.text;
                recipient.sender = message->sender;
                recipient.id = message->id.to_string();
                recipient.tenant = message->labels().tenant->name;
                recipient.campaign = message->labels().campaign;
                recipient.priority = message->priority;
                recipient.readable = octets != nullptr;
                if (octets != nullptr) recipient.content.assign(octets.get(), message->size());
                state->recipients.emplace(one->address, recipient);
            }
        }
        core::Event never(shard_.reactor());
        co_await never.wait(shard_.now() + idle);
        co_await spool_.close();
        state->moved += spool_.stats().moved;
        for (relay::Message* message : messages_) {
            for (const auto& one : message->recipients)
                replies_.release(one->last_reply);
            PH_ASSERT(relay::Spool::forget(*message));
            delete message;
        }
    }

    void recovered(std::unique_ptr<relay::Message> message) override {
        message->open_recipients = static_cast<std::uint32_t>(message->recipients.size());
        messages_.push_back(message.release());
    }
    relay::ReplyPool& replies() override { return replies_; }
    const relay::Tenant& tenant(std::string_view name) override { return tenants_.intern(name); }

    core::Task<bool> hold_content(relay::Message& message) override {
        if (message.place.holders.try_hold()) co_return true;
        auto octets = co_await relay::Spool::read_content(message);
        if (octets == nullptr) co_return false;
        const std::size_t size = message.size();
        message.content.restore(std::move(octets), size);
        message.place.holders.restored(1);
        co_return true;
    }
    void let_content_go(relay::Message& message) override { message.place.holders.let_go(); }
    void free_moved(relay::Message& /*message*/) override { PH_ASSERT(false); }

  private:
    core::Shard& shard_;
    metrics::ShardMetrics metrics_;
    relay::ReplyPool replies_;
    relay::TenantTable tenants_;
    relay::Spool spool_;
    std::vector<relay::Message*> messages_;
};

}  // namespace

SpoolState read_spool(SimDisk& disk, SpoolReading how) {
    SpoolState state;
    WorldOptions options;
    options.shards = how.shards;
    options.backend.disk = &disk;
    SimWorld world(how.seed, options);
    const auto place = relay::prepare_spool(disk, "spool");
    PH_ASSERT(place.has_value());
    relay::SpoolSpace space(disk, "spool");
    {
        std::vector<std::unique_ptr<Reader>> readers;
        for (std::size_t i = 0; i < how.shards; ++i) {
            readers.push_back(std::make_unique<Reader>(
                world.shard(i), disk, space,
                relay::SpoolOptions{"spool", how.segment_size, place->direct}));
        }
        for (std::size_t i = 0; i < how.shards; ++i)
            world.spawn(world.shard(i), readers[i]->run(how.idle, &state));
        const bool ended = world.run_until([&world] { return world.running_tasks() == 0; });
        PH_ASSERT(ended);
    }
    disk.close(place->lock);
    state.failure = space.failure();
    return state;
}

}  // namespace sim
