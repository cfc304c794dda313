#include "relay/control/views.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "core/base/json_text.h"

namespace relay {

namespace {

// Writes one JSON object; its fields stand in the order in which they are added.
class Fields {
  public:
    Fields& text(std::string_view name, std::string_view value) {
        begin(name);
        core::append_json_string(out_, value);
        return *this;
    }
    template <typename Number>
    Fields& number(std::string_view name, Number value) {
        begin(name);
        out_ += fmt::format("{}", value);
        return *this;
    }
    // RFC 3339, or null.
    Fields& time(std::string_view name, core::WallTime value) {
        begin(name);
        if (value == core::WallTime{}) {
            out_ += "null";
            return *this;
        }
        const auto day = std::chrono::floor<std::chrono::days>(value);
        const std::chrono::year_month_day date{day};
        const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(value - day)};
        out_ += fmt::format("\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z\"", int(date.year()),
                            unsigned(date.month()), unsigned(date.day()), clock.hours().count(),
                            clock.minutes().count(), clock.seconds().count());
        return *this;
    }
    template <typename Values, typename Write>
    Fields& list(std::string_view name, const Values& values, Write write) {
        begin(name);
        out_ += '[';
        for (const auto& value : values) {
            if (out_.back() != '[') out_ += ',';
            out_ += write(value);
        }
        out_ += ']';
        return *this;
    }
    std::string done() { return std::move(out_) + "}"; }

  private:
    void begin(std::string_view name) {
        if (out_.size() > 1) out_ += ',';
        out_.append("\"").append(name).append("\":");
    }
    std::string out_ = "{";
};

std::string json_of(const QueueView& queue) {
    return Fields()
        .text("domain", queue.domain)
        .text("tenant", queue.tenant)
        .text("campaign", queue.campaign)
        .number("scheduled", queue.scheduled)
        .number("suspended", queue.suspended)
        .text("suspended_by", queue.suspended_by)
        .time("oldest", queue.oldest)
        .time("next_attempt", queue.next_attempt)
        .text("last_reply", queue.last_reply)
        .done();
}

std::string json_of(const LivePath& path) {
    return Fields()
        .text("name", path.name)
        .text("provider", path.provider)
        .text("source", path.source)
        .number("shard", path.shard)
        .text("role", path.lane ? "lane" : "home")
        .number("ready", path.ready)
        .number("connections", path.connections)
        .number("connection_limit", path.connection_limit)
        .number("window", path.window)
        .text("reason", path.reason)
        .number("until_seconds", path.until_seconds)
        .list("domains", path.domains,
              [](const std::string& domain) {
                  std::string text;
                  core::append_json_string(text, domain);
                  return text;
              })
        .done();
}

std::string json_of(const RecipientView& recipient) {
    return Fields()
        .text("recipient", recipient.address)
        .text("state", recipient.state)
        .number("num_attempts", recipient.attempts)
        .time("next_attempt", recipient.next_attempt)
        .text("last_reply", recipient.last_reply)
        .done();
}

}  // namespace

std::string to_json(const StatusView& status) {
    return Fields()
        .text("version", status.version)
        .text("hostname", status.hostname)
        .text("state", status.draining ? "draining" : "serving")
        .number("shards", status.shards)
        .number("uptime_seconds", status.uptime_seconds)
        .number("scheduled", status.scheduled)
        .number("suspended", status.suspended)
        .number("ready", status.ready)
        .number("in_flight", status.in_flight)
        .number("oldest_seconds", status.oldest_seconds)
        .number("connections", status.connections)
        .number("received", status.received)
        .number("delivered", status.delivered)
        .number("deferred", status.deferred)
        .number("bounced", status.bounced)
        .number("expired", status.expired)
        .number("suspensions", status.suspensions)
        .number("bounces", status.bounces)
        .done();
}

void QueuesView::add(QueuesView other) {
    queues_left_out += other.queues_left_out;
    recipients_left_out += other.recipients_left_out;
    std::ranges::move(other.queues, std::back_inserter(queues));
}

void QueuesView::cut(std::size_t most) {
    const auto name = [](const QueueView& one) {
        return std::tie(one.domain, one.tenant, one.campaign);
    };
    std::ranges::sort(queues, {}, name);
    std::vector<QueueView> joined;
    for (QueueView& one : queues) {
        if (joined.empty() || name(joined.back()) != name(one)) {
            joined.push_back(std::move(one));
            continue;
        }
        QueueView& all = joined.back();
        all.scheduled += one.scheduled;
        all.suspended += one.suspended;
        all.oldest = std::min(all.oldest, one.oldest);
        if (all.next_attempt == core::WallTime{} ||
            (one.next_attempt != core::WallTime{} && one.next_attempt < all.next_attempt)) {
            all.next_attempt = one.next_attempt;
        }
        if (all.last_reply.empty()) all.last_reply = std::move(one.last_reply);
        if (all.suspended_by.empty()) all.suspended_by = std::move(one.suspended_by);
    }
    queues = std::move(joined);
    std::ranges::sort(queues, std::greater(), &QueueView::scheduled);
    while (queues.size() > most) {
        ++queues_left_out;
        recipients_left_out += queues.back().scheduled;
        queues.pop_back();
    }
}

std::string to_json(const QueuesView& view) {
    return Fields()
        .list("queues", view.queues, [](const QueueView& one) { return json_of(one); })
        .number("queues_left_out", view.queues_left_out)
        .number("recipients_left_out", view.recipients_left_out)
        .done();
}

void PathsView::add(PathsView other) {
    left_out += other.left_out;
    std::ranges::move(other.paths, std::back_inserter(paths));
}

void PathsView::cut(std::size_t most) {
    std::ranges::sort(paths, std::greater(), &LivePath::ready);
    if (paths.size() <= most) return;
    left_out += paths.size() - most;
    paths.resize(most);
}

std::string to_json(const PathsView& view) {
    return Fields()
        .list("paths", view.paths, [](const LivePath& one) { return json_of(one); })
        .number("paths_left_out", view.left_out)
        .done();
}

std::string to_json(const MessageView& message) {
    return Fields()
        .text("id", message.id)
        .text("sender", message.sender)
        .text("tenant", message.tenant)
        .text("campaign", message.campaign)
        .number("size", message.size)
        .number("shard", message.shard)
        .time("created", message.created)
        .list("recipients", message.recipients,
              [](const RecipientView& one) { return json_of(one); })
        .number("recipients_left_out", message.recipients_left_out)
        .done();
}

}  // namespace relay
