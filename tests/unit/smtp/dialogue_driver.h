// Drives a ServerDialogue as a session would, without I/O: for unit tests and the fuzz target.
// Everything that the dialogue let through is kept, with the replies in the order they were given.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/message/content.h"
#include "relay/message/content_cursor.h"
#include "relay/smtp/server_dialogue.h"

namespace relay_test {

struct TakenMessage {
    std::string sender;
    std::vector<std::string> recipients;
    std::string content;
    std::string stuffed;  // as it would be sent on by DATA
    bool eight_bit = false;
    bool needs_smtputf8 = false;
    relay::DsnEnvelope dsn;
    std::vector<relay::EnvelopeDsn> recipients_dsn;
    bool operator==(const TakenMessage&) const = default;
};

class DialogueDriver {
  public:
    explicit DialogueDriver(relay::ServerDialogueOptions options = {.hostname = "mx.example",
                                                                    .max_message_size = 100000,
                                                                    .max_recipients = 5},
                            bool may_relay = true, const relay::RecipientRules* rules = nullptr)
        : options_(std::move(options)), dialogue(options_, may_relay, rules) {}

    // Feeds all of it; answers what was said meanwhile.
    std::string say(std::string_view input) {
        for (;;) {
            const auto step = dialogue.feed(input);
            input.remove_prefix(step.used);
            if (step.event == relay::ServerEvent::none) break;
            if (step.event == relay::ServerEvent::closed) break;
            answer(step.event);
        }
        std::string replies = std::move(dialogue.output());
        dialogue.output().clear();
        return replies;
    }

    std::vector<TakenMessage> messages;
    std::vector<relay::Rejection> rejections;
    std::size_t turnarounds = 0;
    // What the session answers: empty accepts.
    std::string refuse_mail;
    std::string refuse_content;
    std::string refuse_message;

  private:
    void answer(relay::ServerEvent event) {
        using relay::RejectReason;
        switch (event) {
            case relay::ServerEvent::mail:
                if (!refuse_mail.empty()) {
                    return dialogue.refuse(refuse_mail, RejectReason::memory_full);
                }
                return dialogue.accept_mail();
            case relay::ServerEvent::content:
                content_ = std::make_unique<relay::Content>();
                if (!refuse_content.empty()) {
                    return dialogue.refuse(refuse_content, RejectReason::memory_full);
                }
                return dialogue.begin_content(*content_);
            case relay::ServerEvent::message:
                if (!refuse_message.empty()) {
                    return dialogue.refuse(refuse_message, RejectReason::memory_full);
                }
                return take();
            case relay::ServerEvent::rejected:
                rejections.push_back(dialogue.rejection());
                return;
            case relay::ServerEvent::turnaround:
                ++turnarounds;
                return;
            case relay::ServerEvent::none:
            case relay::ServerEvent::closed:
                return;
        }
    }
    void take() {
        content_->seal();
        std::string stuffed = relay::stuffed_text(*content_);
        messages.push_back({dialogue.envelope().sender, dialogue.envelope().recipients,
                            content_->to_string(), std::move(stuffed),
                            dialogue.content().eight_bit(), dialogue.needs_smtputf8(),
                            dialogue.envelope().dsn, dialogue.envelope().recipients_dsn});
        content_.reset();
        dialogue.accept_message("250 2.0.0 Ok: queued as " + std::to_string(messages.size()));
    }

    const relay::ServerDialogueOptions options_;
    std::unique_ptr<relay::Content> content_;

  public:
    relay::ServerDialogue dialogue;
};

}  // namespace relay_test
