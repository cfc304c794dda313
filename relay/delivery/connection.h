// Connection: one connection of a path, from looking for a host to the end of its session. Walks
// through the hosts of the site (host_walk.h), connects to an address from the egress source of the
// path, by its proxy where it has one (proxy_handshake.h), opens a session there (session.h) and
// lets it serve. An address is tried again at once, over a new connection, in clear
// text where TLS is wanted and broken, or by HELO where EHLO is refused.
// Owned by its task in the path's group, on the shard of the path. Limits: those of HostWalk, and
// three connections to one address; the time limits of its path (relay/smtp/time_limits.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/net/connector.h"
#include "core/runtime/task.h"
#include "relay/delivery/session.h"

namespace relay {

class Connection final : public Worker {
  public:
    // detour: none for one that takes any mail of the site.
    Connection(EgressContext& context, WorkSource& source, std::optional<Detour> detour = {});

    core::Task<void> run();

    void wake() override;
    void retire() override;
    void abort() override;
    const std::string& endpoint() const override;
    std::size_t completed() const override { return session_ ? session_->completed() : 0; }

  private:
    enum class Orders : std::uint8_t { go_on, retire, abort };

    core::Task<bool> open();
    core::Task<bool> try_target(HostTarget target);
    core::Task<std::unique_ptr<core::ByteStream>> connect(HostTarget target);
    core::Task<std::unique_ptr<core::ByteStream>> reach_by_proxy(
        std::unique_ptr<core::ByteStream> stream, std::shared_ptr<const EgressSource> egress,
        HostTarget target);
    Approach approach_to(HostTarget target);
    bool may_do_without_ehlo(const TlsDemand& demand) const;
    void note_helo_only(const HostTarget& target);
    void report_failure();

    EgressContext& context_;
    WorkSource& source_;
    const TimeLimits times_;
    const std::string id_;  // of its session, in events
    SessionOpenings openings_;
    HostWalk walk_;
    core::ConnectStop connecting_;
    core::ByteStream* at_proxy_ = nullptr;  // while a proxy is asked to connect
    std::optional<Session> session_;        // the latest
    Orders orders_ = Orders::go_on;
};

}  // namespace relay
