// ScriptedResolver: answers from a table, after a latency on the shard's (virtual) clock when one
// is set; names that are not in the table do not exist. Counts what it was asked. For tests of
// whatever stands on dns::Resolver. One shard.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "dns/ares_channel.h"
#include "dns/resolver.h"

namespace dns {

class ScriptedResolver final : public Resolver {
  public:
    explicit ScriptedResolver(core::Shard& shard) : shard_(shard), never_(shard.reactor()) {}

    core::Task<DnsAnswer> query(std::string name, RecordType type) override {
        return answer_within(std::move(name), type, kPatience);
    }
    core::Task<DnsAnswer> query_briefly(std::string name, RecordType type) override {
        ++brief;
        return answer_within(std::move(name), type, kBriefTimeout);
    }
    core::Task<DnsAnswer> answer_within(std::string name, RecordType type, core::Duration most) {
        const bool no_answer = latency > most || (!silent.empty() && name.starts_with(silent));
        if (no_answer) {
            co_await never_.wait(shard_.now() + most);
            DnsAnswer answer;
            answer.status = DnsStatus::timeout;
            answer.canonical_name = name;
            co_return answer;
        }
        asked.push_back(name + ' ' + std::string(to_string(type)));
        most_at_once = std::max(most_at_once, ++at_once_);
        if (latency > core::Duration{0}) co_await never_.wait(shard_.now() + latency);
        --at_once_;
        const auto found = table_.find({name, type});
        if (found != table_.end()) co_return found->second;
        DnsAnswer answer;
        answer.canonical_name = name;
        answer.ttl = std::chrono::seconds{600};
        const bool exists = std::ranges::any_of(
            table_, [&](const auto& entry) { return entry.first.first == name; });
        answer.status = exists ? DnsStatus::nodata : DnsStatus::nxdomain;
        co_return answer;
    }

    DnsAnswer& set(const std::string& name, RecordType type, DnsStatus status, int ttl = 300) {
        DnsAnswer answer;
        answer.status = status;
        answer.canonical_name = name;
        answer.ttl = std::chrono::seconds{ttl};
        return table_[{name, type}] = answer;
    }
    DnsAnswer& at(const std::string& name, RecordType type) { return table_.at({name, type}); }
    void mx(const std::string& name, std::initializer_list<std::pair<int, std::string>> hosts,
            int ttl = 300) {
        DnsAnswer& answer = set(name, RecordType::mx, DnsStatus::ok, ttl);
        for (const auto& [preference, host] : hosts) {
            answer.records.push_back({name, RecordType::mx, static_cast<std::uint32_t>(ttl),
                                      MxData{static_cast<std::uint16_t>(preference), host}});
        }
    }
    void addresses(const std::string& name, std::initializer_list<std::string> texts,
                   int ttl = 300) {
        for (const std::string& text : texts) {
            const auto address = *core::IpAddress::parse(text);
            const RecordType type = address.is_v4() ? RecordType::a : RecordType::aaaa;
            if (!table_.contains({name, type})) set(name, type, DnsStatus::ok, ttl);
            table_[{name, type}].records.push_back(
                {name, type, static_cast<std::uint32_t>(ttl), address});
        }
    }
    // What a server says whose answer holds the alias only.
    void alias(const std::string& name, const std::string& target, RecordType type, int ttl = 300) {
        set(name, type, DnsStatus::nodata, ttl).canonical_name = target;
    }

    static constexpr core::Duration kPatience = std::chrono::milliseconds{10'500};

    core::Duration latency{0};
    std::string silent;  // names that begin so get no answer
    std::size_t brief = 0;
    std::vector<std::string> asked;
    std::size_t most_at_once = 0;

  private:
    core::Shard& shard_;
    core::Event never_;
    std::size_t at_once_ = 0;
    std::map<std::pair<std::string, RecordType>, DnsAnswer> table_;
};

}  // namespace dns
