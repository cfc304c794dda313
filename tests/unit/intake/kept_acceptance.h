// KeptAcceptance: takes messages and keeps them for a test to look at. It can be full, drain, or
// let a commit last a while, as a journal does.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/runtime/event.h"
#include "core/runtime/reactor.h"
#include "relay/intake/acceptance.h"

namespace relay_test {

class KeptAcceptance final : public relay::Acceptance {
  public:
    explicit KeptAcceptance(core::Reactor& reactor) : reactor_(reactor), never_(reactor) {}

    std::optional<relay::Refusal> check(std::size_t octets) const override {
        if (refusal) return refusal;
        if (octets > room) return relay::Refusal::memory_full;
        return std::nullopt;
    }
    bool takes_no_mail(std::string_view domain) const override { return domain == null_mx; }
    const relay::Tenant& tenant(std::string_view name) override { return tenants.intern(name); }
    const relay::TenantPolicies& tenant_policies() const override { return *policies; }
    std::unique_ptr<relay::Message> begin() override {
        auto message = std::make_unique<relay::Message>();
        message->id = ids_.next(1);
        message->created = reactor_.wall();
        return message;
    }
    core::Task<std::expected<relay::MessageId, relay::Refusal>> commit(
        std::unique_ptr<relay::Message> message) override {
        const relay::MessageId id = message->id;
        if (commit_takes > core::Duration{}) co_await never_.wait(reactor_.now() + commit_takes);
        if (commit_refusal && messages.size() >= takes_first)
            co_return std::unexpected(*commit_refusal);
        messages.push_back(std::move(message));
        co_return id;
    }

    relay::TenantTable tenants;
    std::shared_ptr<const relay::TenantPolicies> policies = relay::TenantPolicies::none();
    std::string null_mx;  // a domain that is known to have one
    std::size_t room = 1U << 30;
    std::optional<relay::Refusal> refusal;
    std::optional<relay::Refusal> commit_refusal;
    std::size_t takes_first = 0;  // so many, and then refuses
    core::Duration commit_takes{};
    std::vector<std::unique_ptr<relay::Message>> messages;

  private:
    core::Reactor& reactor_;
    core::Event never_;
    relay::MessageIdGenerator ids_{0, 1};
};

}  // namespace relay_test
