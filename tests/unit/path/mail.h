// Mail: messages with recipients for tests of what a path holds, in the state that they have there.
// It owns them; a queue must have given them back when it dies.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "relay/path/fair_queue.h"

namespace relay {

class Mail {
  public:
    // A message of its own for each call, with one recipient for each address.
    Message& add(const std::vector<std::string>& addresses) {
        messages_.push_back(std::make_unique<Message>());
        Message& message = *messages_.back();
        message.sender = "a@from.example";
        message.content.append("Subject: x\r\n\r\nbody\r\n");
        message.content.seal();
        for (const std::string& address : addresses) {
            message.recipients.push_back(std::make_unique<Recipient>(message, address));
            for (const RecipientState state :
                 {RecipientState::committed, RecipientState::scheduled, RecipientState::ready})
                message.recipients.back()->move_to(state);
        }
        return message;
    }
    // Of this tenant ("": nobody's), campaign and priority.
    Recipient& of(std::string_view tenant, const std::string& campaign = {},
                  Priority priority = Priority::normal) {
        Message& message = add({std::string(tenant) + "@x"});
        message.priority = priority;
        if (!tenant.empty() || !campaign.empty()) {
            message.edit_labels() = {&tenants.intern(tenant), campaign};
        }
        return *message.recipients.front();
    }
    TenantId id(std::string_view tenant) { return tenants.intern(tenant).id; }

    TenantTable tenants;

    Recipient& one(const std::string& address) { return *add({address}).recipients.front(); }

  private:
    std::vector<std::unique_ptr<Message>> messages_;
};

// The addresses in a queue, which is empty afterwards.
template <typename Queue>
std::vector<std::string> drained(Queue& queue) {
    std::vector<std::string> addresses;
    while (!queue.empty())
        addresses.emplace_back(std::string_view(queue.pop_front().address));
    return addresses;
}

// A FairQueue with mail, which gives it back at the end.
class QueuedMail : public testing::Test {
  protected:
    explicit QueuedMail(std::shared_ptr<const TenantPolicies> policies = TenantPolicies::none())
        : queue_(std::move(policies)) {}
    void TearDown() override {
        ReadyQueue all;
        queue_.give_up(all);
        drained(all);
    }
    void add(std::size_t count, std::string_view tenant, const std::string& campaign = {},
             Priority priority = Priority::normal) {
        for (; count > 0; --count)
            queue_.add(mail_.of(tenant, campaign, priority));
    }

    Mail mail_;
    FairQueue queue_;
};

}  // namespace relay
