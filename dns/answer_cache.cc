#include "dns/answer_cache.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/assert.h"

namespace dns {
namespace {

std::size_t data_octets(const Record& record) {
    if (const auto* raw = std::get_if<RawData>(&record.data)) return raw->octets.capacity();
    if (const auto* mx = std::get_if<MxData>(&record.data)) return mx->exchange.capacity();
    if (const auto* alias = std::get_if<CnameData>(&record.data)) return alias->target.capacity();
    if (const auto* tlsa = std::get_if<TlsaData>(&record.data)) return tlsa->data.capacity();
    if (const auto* srv = std::get_if<SrvData>(&record.data)) return srv->target.capacity();
    return 0;
}

// What an entry takes, near enough to bound the cache.
std::size_t weight(const std::string& name, const DnsAnswer& answer, std::size_t entry) {
    std::size_t octets = entry + 2 * name.size() + answer.canonical_name.capacity() + 64;
    for (const Record& record : answer.records) {
        octets += sizeof(Record) + record.owner.capacity() + data_octets(record);
    }
    return octets;
}

}  // namespace

std::size_t QuestionHash::operator()(const Question& question) const {
    const std::size_t type = std::to_underlying(question.type);
    return std::hash<std::string>{}(question.name) ^ (type * 0x9e3779b97f4a7c15U);
}

AnswerCache::AnswerCache(CacheLimits limits) : limits_(limits) {
    PH_ASSERT(limits_.entries > 0);
}

AnswerCache::~AnswerCache() {
    while (!recency_.empty())
        forget(recency_.front());
}

std::optional<AnswerCache::Known> AnswerCache::find(const Question& question, core::Instant now) {
    const auto found = entries_.find(question);
    if (found == entries_.end()) return std::nullopt;
    Entry& entry = *found->second;
    if (entry.expires <= now) {
        forget(entry);
        return std::nullopt;
    }
    core::IntrusiveList<Entry, RecencyTag>::remove(entry);
    recency_.push_back(entry);
    ++entry.turns;
    Known known{entry.answer, entry.expires};
    known.answer.ttl = std::chrono::ceil<std::chrono::seconds>(entry.expires - now);
    std::vector<Record>& records = known.answer.records;
    const bool addresses = question.type == RecordType::a || question.type == RecordType::aaaa;
    if (addresses && records.size() > 1) {
        const auto shift = static_cast<std::ptrdiff_t>(entry.turns % records.size());
        std::ranges::rotate(records, records.begin() + shift);
    }
    return known;
}

void AnswerCache::store(const Question& question, DnsAnswer answer, core::Instant expires,
                        core::Instant now) {
    const std::size_t octets = weight(question.name, answer, sizeof(Entry) + sizeof(Question));
    if (const auto found = entries_.find(question); found != entries_.end()) {
        forget(*found->second);
    }
    if (octets > limits_.octets) return;
    while (!recency_.empty() &&
           (entries_.size() >= limits_.entries || octets_ + octets > limits_.octets)) {
        if (recency_.front().expires > now) ++evicted_;
        forget(recency_.front());
    }
    auto owned = std::make_unique<Entry>();
    Entry& entry = *owned;
    entry.expires = expires;
    entry.answer = std::move(answer);
    entry.octets = octets;
    const auto [place, added] = entries_.emplace(question, std::move(owned));
    PH_ASSERT(added);
    entry.question = &place->first;
    recency_.push_back(entry);
    octets_ += octets;
}

void AnswerCache::forget(Entry& entry) {
    octets_ -= entry.octets;
    core::IntrusiveList<Entry, RecencyTag>::remove(entry);
    entries_.erase(entries_.find(*entry.question));
}

}  // namespace dns
