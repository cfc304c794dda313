// proxy_header(): what a proxy is told before the first octet of a connection that it makes for us,
// by version 2 of the PROXY protocol (HAProxy's proxy-protocol.txt, section 2.2): where the
// connection seems to come from and where it goes. No answer comes. Pure.
#pragma once

#include <string>

#include "core/base/address.h"

namespace relay {

// Both addresses are of one family.
std::string proxy_header(const core::SocketAddress& source, const core::SocketAddress& destination);

}  // namespace relay
