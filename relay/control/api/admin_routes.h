// AdminRoutes: the admin API of one listener on one shard: who may ask (credentials, or `allow`
// where there are none), and the endpoints below /api/admin, each a call of the ControlDesk. Owned
// by the listener, outlives its server. Errors are {"errors":[{"message","field"}]}.
// Limits: kMaxBody octets of a request; those of the views.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/http/router.h"
#include "core/runtime/reactor.h"
#include "relay/control/api/control_desk.h"
#include "relay/control/api/credential_check.h"

namespace relay {

// Who a request comes from, and whether it may come.
class AdminDoor {
  public:
    AdminDoor(core::Reactor& reactor, std::vector<core::IpNetwork> allow, CredentialCheck check)
        : reactor_(reactor), allow_(std::move(allow)), check_(std::move(check)) {}

    bool has_credentials() const { return !check_.empty(); }
    // A refusal, or nothing; then who is the name of who asks.
    std::optional<core::HttpResponse> refuse(const core::HttpRequest& head, Permission wanted,
                                             std::string& who);
    // The same for a route that needs to know no name.
    std::optional<core::HttpResponse> refuse(const core::HttpRequest& head, Permission wanted) {
        std::string who;
        return refuse(head, wanted, who);
    }

    // Whose the mail is that this request brings; empty: its credential says nothing.
    std::string tenant_of(const core::HttpRequest& head);

  private:
    core::Reactor& reactor_;
    std::vector<core::IpNetwork> allow_;
    CredentialCheck check_;
};

class AdminRoutes {
  public:
    static constexpr std::size_t kMaxBody = 64 << 10;

    AdminRoutes(ControlDesk& desk, AdminDoor& door) : desk_(desk), door_(door) {}
    void add_to(core::Router& router);

  private:
    using Answer = core::Task<core::HttpResponse>;
    // who: see AdminDoor.
    using Call = Answer (AdminRoutes::*)(core::HttpRequest request, std::string who);

    void add(core::Router& router, std::string method, std::string path, Permission wanted,
             Call call);
    void add_orders(core::Router& router, OrderKind kind, const std::string& path);
    Answer enter(core::HttpRequest request, Permission wanted, Call call);
    Answer enter_order(core::HttpRequest request, OrderKind kind);
    Answer list_orders(core::HttpRequest request, OrderKind kind);
    Answer give_order(core::HttpRequest request, OrderKind kind, std::string who);
    Answer end_order(core::HttpRequest request, OrderKind kind, std::string who);
    Answer retry(core::HttpRequest request, std::string who);
    Answer rebind(core::HttpRequest request, std::string who);
    Answer reload(core::HttpRequest request, std::string who);
    Answer drain(core::HttpRequest request, std::string who);
    Answer status(core::HttpRequest request, std::string who);
    Answer queues(core::HttpRequest request, std::string who);
    Answer paths(core::HttpRequest request, std::string who);
    Answer path(core::HttpRequest request, std::string who);
    Answer message(core::HttpRequest request, std::string who);

    ControlDesk& desk_;
    AdminDoor& door_;
};

}  // namespace relay
