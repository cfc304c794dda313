// txt_texts(): the texts of TXT records, each with its strings joined (RFC 1035 section 3.3.14), as
// MTA-STS and TLSRPT want them. Pure. A record whose lengths are wrong is left out; an answer that
// is no success has no texts.
#pragma once

#include <string>
#include <vector>

#include "dns/resolver.h"

namespace relay {

std::vector<std::string> txt_texts(const dns::DnsAnswer& answer);

}  // namespace relay
