// no_route(): what a failure of DNS to name a route, or the addresses of a host, means for mail: a
// disposition of our own, with the codes that the failure has. Pure.
#pragma once

#include "dns/mx.h"
#include "relay/message/own_disposition.h"

namespace relay {

inline Disposition no_route(const dns::RouteFailure& failure) {
    const dns::FailureCodes codes = dns::codes_of(failure.kind);
    return no_route(Reply{codes.reply, {codes.klass(), codes.subject, codes.detail}, failure.text});
}

}  // namespace relay
