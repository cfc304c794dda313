// Conversation: drives a ClientDialogue against a scripted server in tests, and reads like a
// transcript: says() is what the dialogue must write now, hears() what the server answers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/smtp/client_dialogue.h"

namespace relay {

// A transaction with its content and addresses, kept together.
struct Letter {
    explicit Letter(std::vector<std::string> to, std::string body = "Subject: x\r\n\r\nbody\r\n")
        : recipients(std::move(to)) {
        content.append(body);
        content.seal();
        transaction.sender = "a@from.example";
        for (const std::string& one : recipients)
            transaction.recipients.push_back(one);
        transaction.content = &content;
    }
    const Disposition& result(std::size_t i = 0) const { return transaction.results[i]; }

    std::vector<std::string> recipients;
    Content content;
    Transaction transaction;
};

class Conversation {
  public:
    explicit Conversation(PipelineMode mode = PipelineMode::next, bool chunking = true)
        : dialogue("me.example", mode, chunking) {}

    // Through greeting and EHLO.
    void greet(const std::string& ehlo = "250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n") {
        says("");
        hears("220 mx ready\r\n");
        says("EHLO me.example\r\n");
        hears(ehlo);
        ASSERT_TRUE(dialogue.can_begin());
    }

    void says(const std::string& expected) { EXPECT_EQ(written(), expected); }

    std::string written() {
        std::string text;
        std::vector<iovec> parts;
        do {
            parts.clear();
            dialogue.compose(parts);
            for (const iovec& part : parts)
                text.append(static_cast<const char*>(part.iov_base), part.iov_len);
        } while (!parts.empty());
        return text;
    }

    ClientDialogue::Event hears(std::string_view text) {
        ClientDialogue::Event last = ClientDialogue::Event::need_input;
        while (true) {
            const auto event = dialogue.receive(text);
            if (event == ClientDialogue::Event::need_input) return last;
            last = event;
            events.push_back(event);
            while (Transaction* done = dialogue.take_finished())
                finished.push_back(done);
            if (event == ClientDialogue::Event::closing || event == ClientDialogue::Event::closed) {
                return event;
            }
        }
    }

    void lose(bool last_write_done = true) {
        dialogue.connection_lost("reset by peer", last_write_done);
        while (Transaction* done = dialogue.take_finished())
            finished.push_back(done);
    }

    ClientDialogue dialogue;
    std::vector<ClientDialogue::Event> events;
    std::vector<Transaction*> finished;
};

}  // namespace relay
