// SimDns: a dns::Resolver that answers from a table, after a virtual delay. The zone is shared by
// all shards of a world and may change while it runs. A name with some record answers nodata for
// other types, a name without any answers nxdomain; failures are set by name and type. One SimDns
// per shard.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "dns/resolver.h"

namespace sim {

struct SimZone {
    struct Entry {
        dns::DnsStatus status = dns::DnsStatus::ok;
        std::vector<dns::Record> records;
    };
    std::map<std::string, std::map<dns::RecordType, Entry>> names;
    std::chrono::seconds ttl{300};
    core::Duration delay = std::chrono::milliseconds{20};
    std::size_t questions = 0;
    std::map<std::pair<std::string, dns::RecordType>, std::size_t> asked;
    // Every answer, "no such" too, is authenticated but for these names.
    bool is_signed = false;
    std::set<std::string> unsigned_names;
    // Questions of this type, or of any, about names with this end get no answer.
    std::string silent_below;
    std::optional<dns::RecordType> silent_type;

    void add_mx(const std::string& domain, std::uint16_t preference, const std::string& host);
    void add_address(const std::string& host, const core::IpAddress& address);
    void add_srv(const std::string& service, dns::SrvData data);
    void add_tlsa(const std::string& host, std::uint16_t port, dns::TlsaData data);
    void add_txt(const std::string& name, const std::string& text);  // up to 255 octets a string
    void fail(const std::string& name, dns::RecordType type, dns::DnsStatus status);
    void heal(const std::string& name, dns::RecordType type);
};

class SimDns final : public dns::Resolver {
  public:
    SimDns(core::Shard& shard, SimZone& zone)
        : shard_(shard), zone_(zone), closing_(shard.reactor()) {}
    core::Task<dns::DnsAnswer> query(std::string name, dns::RecordType type) override;
    core::Task<dns::DnsAnswer> query_briefly(std::string name, dns::RecordType type) override;
    // As AresChannel::close(): what is under way ends, and everything after it at once.
    void close() { closing_.set(); }

  private:
    core::Task<dns::DnsAnswer> answer_within(std::string name, dns::RecordType type,
                                             core::Duration most);
    bool is_silent(const std::string& name, dns::RecordType type) const;

    core::Shard& shard_;
    SimZone& zone_;
    core::Event closing_;
};

}  // namespace sim
