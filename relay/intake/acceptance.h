// Acceptance: the one door into the queue, for SMTP and HTTP alike. One per shard (the origin shard
// of what it accepts). check() answers before content is read whether there is room; commit() takes
// a complete message and returns once the promise holds: with durability "memory" at once, with a
// journal after the batch that holds it is synced. After commit() the message belongs to the queue.
// takes_no_mail() is for each recipient before that, and never waits.
// Limits: memory.limit, the spool's space and health, draining: each a Refusal of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>

#include "core/io/shard.h"
#include "core/runtime/task.h"
#include "relay/message/message.h"
#include "relay/message/tenant_policy.h"

namespace relay {

enum class Refusal : std::uint8_t {
    memory_full,   // SMTP 452 4.3.1, HTTP 503 with Retry-After
    draining,      // SMTP 421 4.3.2, HTTP 503 with Retry-After
    spool_full,    // SMTP 452 4.3.1, HTTP 503 with Retry-After
    spool_failed,  // SMTP 451 4.3.0, HTTP 503: until a restart
};

class Acceptance {
  public:
    virtual ~Acceptance() = default;

    // Room for a message of so many octets (0: not known yet)? No value: go on.
    virtual std::optional<Refusal> check(std::size_t octets) const = 0;

    // It is known by now that the domain takes no mail at all: it has a null MX (RFC 7505). What is
    // not known is not looked up, so false promises nothing.
    virtual bool takes_no_mail(std::string_view /*domain*/) const { return false; }

    // The tenant of that name; kNoTenant: there is no number left for it.
    virtual const Tenant& tenant(std::string_view /*name*/) { return kNoTenant; }
    // What tenants' tables say, as of now.
    virtual const TenantPolicies& tenant_policies() const { return *TenantPolicies::none(); }

    // A new message with id, creation time and origin set; content empty, no recipients.
    virtual std::unique_ptr<Message> begin() = 0;

    // Frees a message that is not committed: one for many takes several turns of the loop.
    virtual void drop(std::unique_ptr<Message> message) { message.reset(); }

    // Takes a message with sealed content and at least one recipient; answers its id once
    // committed.
    virtual core::Task<std::expected<MessageId, Refusal>> commit(
        std::unique_ptr<Message> message) = 0;
};

}  // namespace relay
