// TenantRates: the rates of tenants ([[tenant]] max_message_rate) as one path meets them. A
// transaction takes a permit of the rate of its mail's tenant; a tenant without one is set aside
// in the path's queue until there are more, and others go meanwhile. Tenants without a table share
// the rate of the one named "default". Owned by the path, on its shard; the rates are those of the
// shard (shared_rates.h). Costs nothing while no tenant has a rate. Limit: kMostKept tenants are
// remembered, beside those that wait.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

#include "relay/message/tenant.h"
#include "relay/message/tenant_policy.h"
#include "relay/path/shared_rates.h"

namespace relay {

class TenantRates {
  public:
    static constexpr std::size_t kMostKept = 1024;

    // What the path says of a tenant that waits, and does when it may go again.
    class Mail {
      public:
        virtual ~Mail() = default;
        virtual std::uint64_t waiting_of(TenantId tenant) = 0;
        virtual void may_go_again(TenantId tenant) = 0;
    };

    // rates: null where there are none.
    TenantRates(Mail& mail, SharedRates* rates, std::shared_ptr<const TenantPolicies> policies)
        : mail_(mail), rates_(rates), policies_(std::move(policies)) {}

    // A reload. Whoever waits may try again.
    void use(std::shared_ptr<const TenantPolicies> policies);
    // Nobody waits any more.
    void clear() { turns_.clear(); }

    bool any() const { return rates_ != nullptr && policies_->limit_rates(); }
    // False: it waits, and may_go_again() is called.
    bool may_go(const Tenant& tenant);
    // Of a tenant that may go.
    void take(const Tenant& tenant);
    // What it took for came to nothing: no transaction was begun.
    void put_back(const Tenant& tenant);

  private:
    class Turn final : public SharedRate::Waiter {
      public:
        Turn(Mail& mail, TenantId tenant, std::shared_ptr<SharedRate> rate)
            : mail_(mail), tenant_(tenant), rate_(std::move(rate)) {}
        ~Turn() override {
            if (rate_ != nullptr) rate_->leave(*this);
        }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

        SharedRate* rate() { return rate_.get(); }
        bool waits() const { return rate_ != nullptr && SharedRate::is_waiting(*this); }
        void rate_allows() override { mail_.may_go_again(tenant_); }
        std::uint64_t held_up() override { return mail_.waiting_of(tenant_); }

      private:
        Mail& mail_;
        const TenantId tenant_;
        const std::shared_ptr<SharedRate> rate_;  // null: it has none
    };

    Turn& turn_of(const Tenant& tenant);

    Mail& mail_;
    SharedRates* const rates_;
    std::shared_ptr<const TenantPolicies> policies_;
    std::unordered_map<TenantId, Turn> turns_;
};

}  // namespace relay
