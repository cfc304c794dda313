// Router: from a recipient's domain to its Site, on the origin shard. A [[route]] decides, at once
// if no host of it may have an MTA-STS policy; otherwise MX records do (dns/mx.h), and the domain's
// policy. One lookup serves all recipients that wait for the same domain.
// Answers hold for the TTL of the DNS answer and are asked for anew after it, also mid-queue.
// route() parks the recipient or calls the receiver in place; close() awaits the lookups under way.
// takes_no_mail() answers from what is remembered and asks nobody.
// Limits: kMaxDomains remembered domains (beyond them the ones not in use are forgotten).
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/task_group.h"
#include "dns/mx.h"
#include "relay/config/check.h"
#include "relay/message/message.h"
#include "relay/queue/site.h"
#include "relay/security/mta_sts.h"

namespace relay {

class RouteReceiver {
  public:
    virtual ~RouteReceiver() = default;
    // recipient.site is set and counted.
    virtual void routed(Recipient& recipient) = 0;
    // No site: recipient.disposition says why and for how long (bounced or deferred), or nothing.
    virtual void unroutable(Recipient& recipient) = 0;
};

struct RouterParts {
    std::shared_ptr<const CheckedConfig> checked;
    const dns::RoutingRules& rules;
    dns::Resolver& resolver;
    MtaSts* sts = nullptr;  // null: no policies are looked for
};

class Router {
  public:
    static constexpr std::size_t kMaxDomains = 200'000;

    Router(core::Shard& shard, RouterParts parts, RouteReceiver& receiver);
    ~Router();

    void route(Recipient& recipient);
    // A reload: domains are asked for anew when mail comes for them; recipients that have a site
    // keep it until they come home.
    void use(std::shared_ptr<const CheckedConfig> checked);
    const ShapingPolicy& shaping() const { return parts_.checked->shaping; }
    // The recipient no longer uses its site.
    void release(Recipient& recipient);
    // A null MX of the domain is known, and its TTL has not ended. A route hides it.
    bool takes_no_mail(std::string_view domain) const;
    // What waits for an answer goes back to the receiver, with no outcome: DNS may take long.
    void stop_waiting();
    core::Task<void> close();
    std::size_t domains() const { return domains_.size(); }
    std::size_t waiting() const { return waiting_; }

  private:
    struct Domain {
        Site* site = nullptr;                        // known
        std::unique_ptr<const Disposition> failure;  // or known to fail
        core::Instant expires{};
        bool resolving = false;
        bool null_mx = false;  // that is the failure
        core::IntrusiveList<Recipient, RecipientQueueTag> waiting;
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };

    // What the hosts of a route publish about themselves.
    struct HostPolicies {
        std::vector<std::string> bound;           // by a policy in force
        std::vector<std::string> allowed;         // of these, by their policy
        std::optional<std::chrono::seconds> ttl;  // none: nobody was asked
    };

    core::Task<void> resolve(std::string key);
    core::Task<HostPolicies> policies_of(std::vector<NextHop> hops);
    // MTA-STS counts for the domain's mail; route null: it has none.
    bool minds_policies(std::string_view name, TlsRequest request, const RouteConfig* route) const;
    bool asks_for_policies(std::string_view name, TlsRequest request,
                           const RouteConfig& route) const;
    void follow(std::string_view name, TlsRequest request, const RouteConfig& route,
                const HostPolicies& policies, Domain& domain);
    void learn(const std::string& key, Domain& domain, const dns::MxResult& result,
               const StsFinding& sts);
    void apply_settings(std::string_view name, TlsRequest request, const RouteConfig* route,
                        SiteFacts& facts) const;
    Site* intern(SiteFacts facts);
    void unreference(Site* site);
    void answer(Domain& domain, Recipient& recipient);
    void forget_unused();

    core::Shard& shard_;
    RouterParts parts_;
    RouteReceiver& receiver_;
    std::unordered_map<std::string, Domain, TextHash, std::equal_to<>> domains_;
    std::unordered_map<std::string, std::unique_ptr<Site>> sites_;  // by key_of()
    std::size_t waiting_ = 0;
    core::TaskGroup lookups_;
};

}  // namespace relay
