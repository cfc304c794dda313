// Tenant: whom mail belongs to: a small number, by which shares and limits are kept, and a name for
// events and people. TenantTable gives the numbers; one per process, shared by its shards, so that
// a number means the same on each. A tenant stays where it is as long as the table lives, and
// messages point to it. Any thread; intern() and find() take a lock, so they are for messages and
// requests, not for recipients.
// Limit: kMost tenants. Mail of further ones belongs to nobody in particular (kNoTenant).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace relay {

enum class TenantId : std::uint32_t { none = 0 };

struct Tenant {
    TenantId id = TenantId::none;
    std::string name;
};

inline const Tenant kNoTenant{};

class TenantTable {
  public:
    static constexpr std::size_t kMost = 1'000'000;

    explicit TenantTable(std::size_t most = kMost) : most_(most) {}

    // The tenant of that name, a new one if need be. An empty name is kNoTenant's.
    const Tenant& intern(std::string_view name);
    // Null: there is none of that number.
    const Tenant* find(TenantId id) const;
    std::size_t size() const;  // beside kNoTenant

  private:
    const std::size_t most_;
    mutable std::mutex mutex_;
    std::deque<Tenant> tenants_;  // number n at place n - 1
    std::unordered_map<std::string_view, const Tenant*> by_name_;
};

}  // namespace relay
