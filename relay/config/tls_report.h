// The table [tls_report] of the configuration: who sends reports about TLS. A part of the parser;
// see relay/config/parse.h.
#pragma once

#include "relay/config/section.h"

namespace relay {

void read_tls_report(Section& from, TlsReportConfig& report);

}  // namespace relay
