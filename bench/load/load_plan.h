// LoadPlan: which messages a source sends: message number n always has the same sender, recipients
// and content, whichever session sends it. Content is one shared body after a small header block
// per message (X-Load-Id: <run>-<n>, From, To, Message-ID, Date), so a source copies nothing of
// size. The body is ASCII with lines of up to 76 characters, no line begins with a dot but for
// dot_lines of them, which are stuffed for DATA. Built once, read by all shards; claim() is atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace bench {

struct LoadOptions {
    std::uint64_t messages = 1000;
    std::uint64_t size = 10240;  // octets of header and body, before dot stuffing
    std::uint64_t recipients_per_message = 1;
    std::uint64_t distinct_recipients = 1000;  // mailboxes per domain
    std::uint64_t domains = 1;                 // d0.load.example, d1.load.example, ...
    std::string domain_suffix = "load.example";
    std::vector<std::string> weighted{};  // "name=weight": instead of numbered domains
    std::string sender = "sender@source.example";
    std::string run_id{};  // default: from the time
    std::uint64_t dot_lines = 0;
    bool mixed_domains = false;  // each recipient of a message in another domain
    double rate = 0;             // messages per second; 0: as fast as it goes
};

struct Draft {
    std::uint64_t number = 0;
    std::vector<std::string> recipients;
    std::string header;  // with its lines' CRLF, without the line that ends the header section
};

class LoadPlan {
  public:
    static core::Result<LoadPlan> create(LoadOptions options);
    LoadPlan(LoadPlan&& other) noexcept;

    // The next message to send, or nothing when all were given out.
    std::optional<std::uint64_t> claim();
    void compose(std::uint64_t number, Draft& draft) const;
    // Where the claimed message stands in time, for a given rate.
    core::Duration offset(std::uint64_t number) const;

    const LoadOptions& options() const { return options_; }
    std::string_view body() const { return body_; }  // begins with the empty line, ends in CRLF
    std::string_view stuffed_body() const { return stuffed_; }

  private:
    explicit LoadPlan(LoadOptions options) : options_(std::move(options)) {}
    core::Result<void> read_weights();
    void write_body();
    const std::string& domain(std::uint64_t number) const;

    LoadOptions options_;
    std::vector<std::string> names_;
    std::vector<double> shares_;  // cumulative, up to 1; empty: round robin
    std::string date_;
    std::string body_;
    std::string stuffed_;
    std::atomic<std::uint64_t> next_{0};
};

}  // namespace bench
